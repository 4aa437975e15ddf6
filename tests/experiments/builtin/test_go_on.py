"""Going on from the model that ships: by a budget, from where it was stopped or killed."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.builtin.go_on import CURVE, LAST, STATES, WARM_UP, WEIGHTS, Wishes, go_on, learning_rate
from sftdec.builtin import builtin_weights
from sftdec.networks import load_weights
from sftdec.runtime import DataError


def wishes_for(build, **more):
    own = {"rate": 1e-4, "batch": 2, "crop": 32, "device": "cpu", "threads": 1}
    return Wishes(
        **{"build": build, "out": build / "go_on", "start": builtin_weights(), "minutes": 0.03, **own, **more}
    )


def steps_of(out):
    return int(max(out.glob(f"{STATES}/*/step-*.pt")).stem.removeprefix("step-"))


@given(step=st.integers(0, 10**6), share=st.floats(0, 1.5), highest=st.floats(1e-6, 1e-2))
def test_the_rate_warms_up_holds_and_falls(step, share, highest):
    rate = learning_rate(highest, step, share)
    assert 0 < rate <= highest
    assert learning_rate(highest, WARM_UP, 0.4) == pytest.approx(highest)
    assert learning_rate(highest, step, min(1.5, share + 0.1)) <= rate
    assert learning_rate(highest, WARM_UP, 1.0) == pytest.approx(LAST * highest)


@pytest.mark.services
def test_it_stops_at_its_budget_and_goes_on_from_there_with_more(build):
    wishes = wishes_for(build)
    first = go_on(wishes)
    taken, shipped = steps_of(wishes.out), load_weights(builtin_weights())
    moved = [torch.equal(*pair) for pair in zip(first.parameters(), shipped.parameters(), strict=True)]
    assert taken > 0 and not all(moved) and first.training_crop == 32
    go_on(wishes)  # the budget is spent: nothing more is taken
    assert steps_of(wishes.out) == taken
    go_on(replace(wishes, minutes=0.3, stop=0.06))
    curve = pd.read_csv(wishes.out / CURVE)
    assert steps_of(wishes.out) > taken
    assert np.isfinite(curve.to_numpy()).all() and curve["seconds"].is_monotonic_increasing
    assert curve["seconds"].max() < 60 * 0.15


@pytest.mark.services
def test_killed_at_any_moment_it_goes_on_from_what_it_had_saved(build):
    options = ["--build", build, "--minutes", 9, "--batch", 2, "--crop", 32, "--threads", 1, "--device", "cpu"]
    command = [sys.executable, "-m", "experiments.builtin.go_on", *map(str, options), "--save-every", "0.01"]
    out = build / "go_on"
    with subprocess.Popen(command) as training:
        while not list(out.glob(f"{STATES}/*/step-*.pt")) and training.poll() is None:
            time.sleep(0.05)
        training.send_signal(signal.SIGKILL)
    kept = steps_of(out)
    done = subprocess.run([*command, "--stop", "0.1", "--unjudged"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert steps_of(out) > kept and f"{steps_of(out)} in all" in done.stdout
    assert load_weights(out / WEIGHTS).config == load_weights(builtin_weights()).config


def test_wishes_that_make_no_sense_are_named_with_the_mend(build, tmp_path):
    with pytest.raises(DataError, match=r"--minutes: found 0, expected above 0; give another"):
        wishes_for(build, minutes=0)
    with pytest.raises(DataError, match=r"no patches are there; run python -m experiments\.builtin\.scenes --out"):
        wishes_for(tmp_path / "nowhere")
