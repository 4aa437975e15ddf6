"""The model that ships beside what serves: which of them is taken, and as a version itself."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from sftdec.builtin import builtin_weights
from sftdec.datasets import Scene, write_index, write_scene
from sftdec.deblurrer import Deblurrer
from sftdec.evaluation import evaluate
from sftdec.registry import (
    Judge,
    beats_shipped,
    champion,
    choose_model,
    judging,
    promote,
    rebase,
    register,
    register_shipped,
    versions,
)
from sftdec.registry.reproduction import ReproductionError, reproduce
from sftdec.tracking.settings import open_client
from tests.registry.results import rules
from tests.registry.small import judged

FIRST = "models:/sft-dec/1"


def blurred_photos(folder: Path) -> Path:
    """Three parts of a photo, blurred by a Gaussian of 1.5 px."""
    rows = []
    for number, left in enumerate((60, 150, 240)):
        sharp = data.chelsea()[100:196, left : left + 96]
        blurred = cv2.GaussianBlur(sharp, (0, 0), 1.5)
        defocus = np.full((96, 96), 0.25, np.float32)
        scene = Scene(f"{number}", "chelsea", "test", f"{number}", 6.0, blurred, sharp, defocus)
        rows.append(write_scene(folder, scene))
    write_index(folder, rows)
    return folder


@pytest.fixture
def here(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """The registry that is asked where no model is named."""
    monkeypatch.chdir(judge.root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return judge


def test_a_champion_is_taken_where_it_was_better_on_the_registrys_photos_and_builtin_where_not(
    here: Judge, bright: dict[str, Path]
) -> None:
    assert choose_model().reason == "nothing serves in the registry"
    assert judged(bright["good"], here, rules()).promoted
    tags = versions(here.root, here.settings)[0].tags
    mine, shipped = (here.evaluate_weights(each)["psnr"].mean() for each in (bright["good"], builtin_weights()))
    assert float(tags["builtin.psnr"]) == pytest.approx(shipped, abs=1e-4) and mine > shipped
    assert float(tags["builtin.gain"]) == pytest.approx(mine - shipped, abs=1e-4)
    chosen = choose_model()
    assert chosen.name == FIRST and chosen.weights.read_bytes() == bright["good"].read_bytes()
    said = f"{FIRST} (it serves, {mine:.2f} dB on the registry's 12 test pictures; builtin {shipped:.2f})"
    assert str(chosen) == said
    assert Deblurrer.load().model == FIRST and Deblurrer.load("builtin").model == "builtin"
    open_client(here.settings).set_model_version_tag("sft-dec", "1", "builtin.gain", "-0.18")
    chosen = choose_model()
    assert chosen.weights == builtin_weights() and f"{FIRST}, which serves, " in chosen.reason
    assert choose_model(FIRST).name == FIRST and not choose_model(FIRST).reason  # who names one gets it


def test_one_that_was_not_compared_with_this_releases_model_does_not_take_over_in_silence(
    here: Judge, bright: dict[str, Path]
) -> None:
    register(bright["good"], None, {}, here.root, settings=here.settings)
    promote(1, "by hand", here.root, here.settings)
    chosen = choose_model()
    assert chosen.name == "builtin" and f"{FIRST} serves and was not compared with it" in chosen.reason
    assert "promote --rebase" in chosen.reason
    rebase(here, "to compare them")
    assert choose_model().name == FIRST
    open_client(here.settings).set_model_version_tag("sft-dec", "1", "builtin.weights_sha256", "of another release")
    assert choose_model().name == "builtin"


def test_what_serves_is_compared_too_when_a_challenger_comes(here: Judge, bright: dict[str, Path]) -> None:
    judged(bright["better"], here, rules())
    client = open_client(here.settings)
    for key in ("weights_sha256", "gain", "psnr"):
        client.delete_model_version_tag("sft-dec", "1", f"builtin.{key}")
    assert choose_model().name == "builtin"
    assert not judged(bright["worse"], here, rules()).promoted
    assert choose_model().name == FIRST
    assert all(beats_shipped(each)[0] for each in versions(here.root, here.settings))


def test_the_model_that_ships_becomes_a_version_that_serves_and_is_challenged(
    here: Judge, bright: dict[str, Path], tmp_path: Path
) -> None:
    judge = Judge(blurred_photos(tmp_path / "scenes"), "test", "cpu", here.root, here.settings)
    report = tmp_path / "gate.json"
    outcome = register_shipped(judge, rules(), report)
    assert outcome.promoted and report.exists()
    serving = champion(here.root, here.settings)
    assert serving is not None and not serving.unreproducible and "git.commit" not in serving.tags
    assert serving.tags["origin"].startswith("builtin of sftdec ") and serving.tags["verified"] == "true"
    assert choose_model().name == FIRST and "is builtin itself" in choose_model().reason
    assert register_shipped(judge, rules(), report).version == 1  # the same weights keep their version
    with pytest.raises(ReproductionError, match=r"can't be rebuilt here: it is builtin of sftdec .*MODEL_CARD"):
        reproduce(FIRST, here.root)
    lost = judged(bright["best"], judge, rules())
    assert lost.previous == 1 and not lost.promoted


def test_a_rebase_after_the_measuring_code_changed_compares_with_builtin_anew(
    here: Judge, bright: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(bright["good"], here, rules()).promoted
    before = versions(here.root, here.settings)[0].tags
    true = evaluate.psnr
    monkeypatch.setattr(evaluate, "psnr", lambda image, sharp: true(image, sharp) - 3)
    monkeypatch.setattr(judging, "_measuring_hash", lambda: "other code")
    rebase(Judge(here.scenes, "test", "cpu", here.root, here.settings), "the protocol changed")
    tags = versions(here.root, here.settings)[0].tags
    assert float(tags["builtin.psnr"]) == pytest.approx(float(before["builtin.psnr"]) - 3, abs=1e-3)
    assert float(tags["builtin.gain"]) == pytest.approx(float(before["builtin.gain"]), abs=1e-3)
