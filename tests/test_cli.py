"""The command line, on a real (untrained) network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sftdec.cli import main
from sftdec.datasets import Scene, write_index, write_scene
from sftdec.devices import DeviceError, choose_device
from sftdec.networks import NetworkConfig, build_network, save_weights

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


def photo(path, size=(40, 30)):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)).save(path)
    return str(path)


def test_deblur_writes_the_photo_and_its_map(tmp_path, weights, capsys):
    source = photo(tmp_path / "a.png")
    assert main(["deblur", source, "-o", str(tmp_path / "out"), "--map", "--model", weights, "--device", "cpu"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / name) for name in ("a.png", "a_defocus.png")]
    assert Image.open(tmp_path / "out" / "a.png").size == (30, 40)


def test_a_bad_photo_is_reported_and_the_rest_go_on(tmp_path, weights, capsys):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    sources = [str(tmp_path / "bad.png"), photo(tmp_path / "good.png")]
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--model", weights]) == 1
    assert "bad.png" in capsys.readouterr().err and (tmp_path / "out" / "good.png").exists()


def test_a_model_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["deblur", photo(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--model", "none.safetensors"]) == 2
    assert capsys.readouterr().err.startswith("sftdec: none.safetensors: there is no such weights file")


def test_a_file_where_the_results_folder_should_be_is_one_sentence(tmp_path, weights, capsys):
    source = photo(tmp_path / "a.png")
    assert main(["deblur", source, "-o", weights, "--model", weights]) == 2
    assert capsys.readouterr().err.startswith(f"sftdec: {weights}: found a file, expected a folder")


def test_a_map_that_would_overwrite_a_result_is_refused_before_anything_is_written(tmp_path, weights, capsys):
    sources = [photo(tmp_path / name) for name in ("a.png", "a_defocus.png")]
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--map", "--model", weights]) == 2
    assert "a_defocus.png: the map of the one" in capsys.readouterr().err and not (tmp_path / "out").exists()


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


def test_deblur_pools_by_windows_where_it_is_told_and_can(tmp_path, capsys):
    source, weights = photo(tmp_path / "a.png"), [str(tmp_path / f"{name}.safetensors") for name in ("dec", "sft")]
    stirred_weights(Path(weights[0]))
    for name, more in (("plain", []), ("all", ["--local-pooling", "40"]), ("local", ["--local-pooling", "16"])):
        assert main(["deblur", source, "-o", str(tmp_path / name), "--model", weights[0], *more]) == 0
    plain, everything, local = ((tmp_path / name / "a.png").read_bytes() for name in ("plain", "all", "local"))
    assert plain == everything != local
    stirred_weights(Path(weights[1]), modulation="sft")
    assert main(["deblur", source, "-o", str(tmp_path / "sft"), "--model", weights[1], "--local-pooling", "16"]) == 2
    assert "no channel part" in capsys.readouterr().err and not (tmp_path / "sft").exists()


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


def test_datasets_check_tells_by_its_exit_code(tmp_path, capsys):
    generator = np.random.default_rng(2)
    for part in ("blurred", "sharp"):
        (tmp_path / "mine" / part).mkdir(parents=True)
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / "mine" / part / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine" / "blurred" / "a.png").write_bytes((tmp_path / "mine" / "sharp" / "a.png").read_bytes())
    assert main(["datasets", "check", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.endswith("mine: nothing wrong with 1 scenes\n")
    (tmp_path / "mine" / "sharp" / "a.png").write_bytes(b"")
    assert main(["datasets", "check", str(tmp_path / "mine")]) == 1
    assert "a.png: not a picture" in capsys.readouterr().out
    assert main(["datasets", "check", str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().out.endswith("empty: not recognised\n")
    assert main(["datasets", "check", str(tmp_path / "gone")]) == 2
    assert "gone: there is no such file or folder" in capsys.readouterr().err
    assert main(["datasets", "check", str(tmp_path / "mine"), "--sigma-max", "0"]) == 2
    assert "--sigma-max" in capsys.readouterr().err


def test_help_is_quick_and_imports_no_torch():
    code = (
        "import sys, sftdec.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "deblur" in done.stdout and "datasets" in done.stdout and done.stdout.strip().endswith("False")


def test_auto_takes_a_gpu_where_there_is_one_and_others_are_named():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(DeviceError, match="CUDA devices"):
        choose_device("cuda:99")
    with pytest.raises(DeviceError, match="unknown"):
        choose_device("abacus")
