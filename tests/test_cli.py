"""The command line, on a real (untrained) network."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sftdec.cli import main
from sftdec.datasets import Scene, write_index, write_scene
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.photos import deep_png
from sftdec.runtime.devices import DeviceError, choose_device

TINY = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small", **TINY)), path)
    return str(path)


def stirred_weights(path, training_crop=None, **changes):
    """Weights of a network that changes pictures, other than a fresh one."""
    net = build_network(NetworkConfig.of_size("small", **(TINY | changes)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.05)
    net.training_crop = training_crop
    save_weights(net, path)


def test_evaluate_prints_the_figures_of_a_data_set(tmp_path, weights, capsys):
    generator = np.random.default_rng(1)
    sharp = generator.integers(0, 256, (32, 32, 3), np.uint8)
    scene = Scene("set/a", "set", "test", "a", 6.0, sharp // 2, sharp, np.full((32, 32), 0.3, np.float32))
    write_index(tmp_path / "scenes", [write_scene(tmp_path / "scenes", scene)])
    common = ["evaluate", "--model", weights, "--scenes", str(tmp_path / "scenes"), "--dataset"]
    assert main([*common, "set"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["set"]["images"] == 1 and found["set"]["psnr"] == pytest.approx(found["set"]["psnr_blurred"], abs=1e-6)
    assert main([*common, "ded"]) == 2 and "set/test" in capsys.readouterr().err


def test_evaluate_adds_the_figures_with_local_pooling_by_the_training_crop_or_the_one_given(tmp_path, capsys):
    stirred_weights(tmp_path / "weights.safetensors", training_crop=32)
    generator = np.random.default_rng(1)
    sharp = generator.integers(0, 256, (48, 64, 3), np.uint8)
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))
    scene = Scene("set/a", "set", "test", "a", 6.0, sharp // 2, sharp, ramp)
    write_index(tmp_path / "scenes", [write_scene(tmp_path / "scenes", scene)])
    common = ["evaluate", "--model", str(tmp_path / "weights.safetensors"), "--scenes", str(tmp_path / "scenes")]
    found = []
    for more in ([], ["--local-pooling", "32"], ["--local-pooling", "16"], ["--local-pooling", "64"]):
        assert main([*common, "--dataset", "set", *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["set"])
    assert found[0] == found[1] and found[2]["psnr"] == found[0]["psnr"] == found[3]["psnr_local_pooling"]
    assert len({each["psnr_local_pooling"] for each in found}) == 3


def test_datasets_prints_a_block_for_each_that_is_known(capsys):
    from sftdec.datasets.importers import IMPORTERS

    assert main(["datasets"]) == 0
    printed = capsys.readouterr().out
    for name, importer in IMPORTERS.items():
        about = importer.ABOUT
        block = next(block for block in printed.split("\n\n") if block.startswith(f"{name} "))
        assert about.title in block and "  layout   " in block and "  licence  " in block and about.page in block
        assert all(line.strip() in block for line in about.layout.splitlines() if len(line) < 100)
    assert max(map(len, printed.splitlines())) <= 120


def test_datasets_check_uses_the_projects_parameters_unless_told_otherwise(tmp_path, capsys, monkeypatch):
    """A map at a sigma of 3 px over all of it: beyond a sigma_max of 2.5, within one of 6."""
    levels = np.full((48, 64), 30, np.uint16).repeat(3).reshape(48, 64, 3)
    sharp = np.random.default_rng(2).integers(0, 256, (48, 64, 3), np.uint8)
    for part in ("image", "sharp", "blur_map"):
        (tmp_path / "syndof" / part).mkdir(parents=True)
    (tmp_path / "syndof" / "blur_map" / "a.png").write_bytes(deep_png(levels))
    Image.fromarray(sharp).save(tmp_path / "syndof" / "sharp" / "a.png")
    Image.fromarray(np.maximum(sharp, 1)).save(tmp_path / "syndof" / "image" / "a.png")
    text = Path("params.yaml").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["datasets", "check", "syndof"]) == 0
    Path("params.yaml").write_text(text.replace("sigma_max: 6.0", "sigma_max: 2.5", 1), encoding="utf-8")
    assert main(["datasets", "check", "syndof"]) == 1
    assert "fetch.sigma_max=2.5" in capsys.readouterr().out
    assert main(["datasets", "check", "syndof", "--sigma-max", "6"]) == 0


def test_datasets_check_tells_by_its_exit_code(tmp_path, capsys):
    generator = np.random.default_rng(2)
    for part in ("blurred", "sharp"):
        (tmp_path / "mine" / part).mkdir(parents=True)
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / "mine" / part / "a.png")
    (tmp_path / "empty").mkdir()
    sharp = np.asarray(Image.open(tmp_path / "mine" / "sharp" / "a.png"))
    Image.fromarray(np.maximum(sharp, 1)).save(tmp_path / "mine" / "blurred" / "a.png")  # in focus, another shot
    assert main(["datasets", "check", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.endswith("mine: nothing wrong with the pictures of 1 scene\n")
    (tmp_path / "mine" / "sharp" / "a.png").write_bytes(b"")
    assert main(["datasets", "check", str(tmp_path / "mine")]) == 1
    assert "a.png: found an empty file" in capsys.readouterr().out
    assert main(["datasets", "check", str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().out.endswith("empty: not recognised\n")
    assert main(["datasets", "check", str(tmp_path / "gone")]) == 2
    assert "gone: there is no such file or folder" in capsys.readouterr().err
    assert main(["datasets", "check", str(tmp_path / "mine"), "--sigma-max", "0"]) == 2
    assert "--sigma-max" in capsys.readouterr().err


def test_what_is_kept_of_photos_is_told_and_removed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SFTDEC_PHOTOS", str(tmp_path))
    (tmp_path / "ab" / "abc").mkdir(parents=True)
    (tmp_path / "ab" / "abc" / "told.json").write_bytes(b"x" * 10_000_000)
    assert main(["datasets", "kept"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 1 photos, 0.01 GB\n"
    assert main(["datasets", "kept", "--trim", "0"]) == 0
    assert capsys.readouterr().out == f"1 photos removed\n{tmp_path}: 0 photos, 0.00 GB\n"
    monkeypatch.setenv("SFTDEC_PHOTOS", "")
    assert main(["datasets", "kept"]) == 0
    assert "nothing is kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("history", "opening the registry"),
        ("reproduce models:/sft-dec/1", "opening the registry"),
        ("deblur photo.png -o out", "reading the model"),
        ("drift . --reference none", "reading the model"),
        ("evaluate --dataset sample --scenes none --model none", "reading the model and the photos"),
        ("evaluate --data none --protocol dpdd", "reading the model and the photos"),
        ("export none", "writing the model, and comparing what the file computes with it"),
        ("datasets check none", "looking for pairs"),
    ],
)
def test_who_waits_before_a_terminal_is_told_what_for(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    (tmp_path / "photo.png").write_bytes(b"no picture")
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda at=terminal: at)
        main(words.split())
        assert (f"sftdec: {told} (some seconds)\n" in capsys.readouterr().err) is terminal


def test_auto_takes_a_gpu_where_there_is_one_and_others_are_named():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(DeviceError, match="CUDA devices"):
        choose_device("cuda:99")
    with pytest.raises(DeviceError, match="unknown"):
        choose_device("abacus")
