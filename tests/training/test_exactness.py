"""The same seed gives the same bytes, however often training is killed; and the losses it has always given."""

import functools
import json
import multiprocessing
import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from sftdec.networks import save_weights
from sftdec.training import loop
from sftdec.training.run import train_sft_dec, weights_path
from sftdec.training.schedule import STAGES
from tests.training.small import make_build, params, train

GOLDEN = Path(__file__).with_name("golden_losses.json")
KILLS = 10


def long_training(folder):
    """300 steps with a checkpoint every five, as a process of its own can run it."""
    multiprocessing.set_start_method("fork", force=True)  # of what loads crops, as in every training: it ends with it
    settings = params(steps=300, warm_up=10, validate_every=50, checkpoint_every=5, keep="best")
    network, _, saved = train_sft_dec(STAGES["s1"], settings, folder, folder / "checkpoints")
    save_weights(network, weights_path(folder, "s1"))
    shutil.rmtree(saved.folder)


def run(context, function, argument):
    """Call a function in a process of its own."""
    process = context.Process(target=function, args=(argument,))
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.slow
@pytest.mark.services  # it kills what it runs beside
def test_a_training_killed_ten_times_at_random_moments_ends_in_the_same_bytes(tmp_path):
    context = multiprocessing.get_context("forkserver")  # where what is slow to import is imported once
    slow_imports = ["sftdec.patches.transforms", "skimage.metrics", "torch._dynamo"]
    context.set_forkserver_preload(["tests.training.test_exactness", *slow_imports])
    whole, cut = make_build(tmp_path / "whole"), make_build(tmp_path / "cut")
    run(context, time.sleep, 0)  # the imports
    started = time.monotonic()
    run(context, long_training, whole)
    pause = (time.monotonic() - started) / KILLS  # about as long as a tenth of the training

    moments, killed, reached = random.Random(), 0, 0
    while killed < KILLS:
        process = context.Process(target=long_training, args=(cut,))
        process.start()
        process.join(moments.uniform(0.5, 3) * pause)
        if process.exitcode is not None:
            assert process.exitcode == 0
            weights_path(cut, "s1").unlink()  # it was quicker: once more from the start, for the kills that are left
            continue
        process.kill()
        process.join()
        killed += 1
        reached += bool(list((cut / "checkpoints").rglob("step-*[05].pt")))
    assert reached, "no kill fell behind a checkpoint"
    run(context, long_training, cut)
    assert weights_path(cut, "s1").read_bytes() == weights_path(whole, "s1").read_bytes()
    assert not list(cut.rglob("*.part"))


def losses_of_every_step(build, monkeypatch):
    """The loss of every step of each stage, one after another."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    found = {}
    for stage in ("s1", "s2", "s3", "end_to_end"):
        _, curve = train(build, stage, params(learning_rate=0.002, keep="last"))
        found[stage] = [row["loss"] for row in curve]
    return found


def test_each_stage_has_the_losses_it_always_had(build, monkeypatch):
    golden = json.loads(GOLDEN.read_text())
    found = losses_of_every_step(build, monkeypatch)
    assert found.keys() == golden.keys()
    for stage, losses in found.items():  # other processors round otherwise, which is far below this
        assert losses == pytest.approx(golden[stage], rel=1e-4), stage


@pytest.mark.parametrize("common", [{"accumulate": 2}, {"checkpoint_activations": True}])
def test_memory_that_is_saved_changes_no_loss(build, monkeypatch, common):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    plain = train(build, "s1", params(common={"batch_size": 4}))[1]
    saving = train(build, "s1", params(common={"batch_size": 4, **common}))[1]
    assert [row["loss"] for row in saving] == pytest.approx([row["loss"] for row in plain], abs=1e-6)


@pytest.mark.slow
def test_steps_captured_as_a_graph_follow_plain_ones(build, monkeypatch):
    """All but the last part of torch.compile: writing and compiling C++ takes a minute (benchmarks/gpu.py)."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    captured = []

    def count(graph, _):
        captured.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=count))
    train(build, "s1", params(steps=4))
    plain = train(build, "s2", params(steps=8), "a")[1]
    assert not captured
    compiled = train(build, "s2", params(steps=8, common={"engine": "compiled"}), "b")[1]
    assert [row["loss"] for row in compiled] == pytest.approx([row["loss"] for row in plain], abs=1e-5)
    assert len(captured) == 1  # one graph: nothing in the network breaks it
