"""The command ``evaluate`` with networks that SFT-Dec is compared with; its other tests are in test_cli.py."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sftdec.cli import main
from sftdec.datasets import load_scenes
from sftdec.evaluation.evaluate import evaluate_network, summarise
from sftdec.peers import build_peer, save_peer
from tests.registry.small import make_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), count=2)


def peer(folder: Path, name: str) -> Path:
    path = folder / f"{name}.safetensors"
    save_peer(build_peer(name, "small", seed=1), "small", path)
    return path


@pytest.mark.parametrize(("name", "maps"), [("nafnet32", False), ("did_anet", True), ("dme_net", True)])
def test_a_peers_weights_file_is_evaluated_like_any_model(tmp_path, scenes, capsys, name, maps):
    command = ["evaluate", "--model", str(peer(tmp_path, name)), "--dataset", "here", "--scenes", str(scenes)]
    assert main([*command, "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    network = build_peer(name, "small", seed=1).eval()
    assert found == summarise(evaluate_network(network, load_scenes(scenes, "test", "here")))
    assert ("mae" in found["here"]) == maps
    if maps:
        assert main([*command, "--device", "cpu", "--deconvolve"]) == 0
        deconvolved = json.loads(capsys.readouterr().out)["here"]
        assert deconvolved["mae"] == pytest.approx(found["here"]["mae"], abs=2e-6)
        assert deconvolved["psnr"] != found["here"]["psnr"]


def test_what_a_peer_lacks_is_one_sentence(tmp_path, scenes, capsys):
    command = ["evaluate", "--dataset", "here", "--scenes", str(scenes), "--model"]
    for name, more, said in (
        ("nafnet32", ["--deconvolve"], "estimates none"),
        ("nafnet32", ["--local-pooling", "16"], "has no channel part"),
        ("dme_net", ["--deconvolve", "--local-pooling", "16"], "has no channel part"),
    ):
        assert main([*command, str(peer(tmp_path, name)), *more]) == 2
        assert said in capsys.readouterr().err


def test_deblurring_and_exporting_say_whose_weights_they_were_given(tmp_path, capsys):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    weights, out = peer(tmp_path, "nafnet32"), tmp_path / "out"
    for command in (
        ["deblur", str(tmp_path / "a.png"), "-o", str(out), "--model", str(weights)],
        ["export", str(weights), "-o", str(out)],
    ):
        assert main(command) == 2 and not out.exists()
        assert capsys.readouterr().err == (
            f"sftdec: {weights}: weights of nafnet32, expected SFT-Dec's; "
            "sftdec evaluate takes those of other networks\n"
        )
