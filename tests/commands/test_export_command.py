"""``sftdec export``."""

import zipfile

import numpy as np
import pytest
import torch

from sftdec.cli import main
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig

TINY = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8, "output_init": 0.5}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small", **TINY)), path)
    return path


def test_export_writes_a_file_that_onnxruntime_alone_can_use_and_says_how_near_it_comes(weights, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime", reason="not installed: pip install -e '.[export]'")
    pytest.importorskip("onnx", reason="not installed: pip install -e '.[export]'")
    target = tmp_path / "net.onnx"
    assert main(["export", str(weights), "--format", "onnx", "-o", str(target)]) == 0
    written, compared = capsys.readouterr().out.splitlines()
    assert written == str(target) and float(compared.rsplit(maxsplit=1)[-1]) < 1e-5
    image = np.random.default_rng(0).random((2, 3, 19, 23), np.float32)
    found = onnxruntime.InferenceSession(target).run(["deblurred", "defocus"], {"image": image})
    with torch.inference_mode():
        expected = build_network(NetworkConfig.of_size("small", **TINY)).eval()(torch.from_numpy(image))
    assert all(np.allclose(ours, theirs, atol=1e-5) for ours, theirs in zip(found, expected, strict=True))
    assert main(["export", str(target), "-o", str(tmp_path / "again.onnx")]) == 2
    assert "found an ONNX model, expected weights" in capsys.readouterr().err


def test_export_copies_weights_and_overwrites_only_when_told(weights, tmp_path, capsys):
    target = tmp_path / "copy.safetensors"
    command = ["export", str(weights), "--format", "safetensors", "-o", str(target)]
    assert main(command) == 0 and target.read_bytes() == weights.read_bytes()
    target.write_bytes(b"old")
    assert main(command) == 2 and target.read_bytes() == b"old"
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0 and target.read_bytes() == weights.read_bytes()
    assert main([*command[:-1], str(weights), "--force"]) == 2
    assert "is the weights file itself" in capsys.readouterr().err


def test_what_is_written_is_what_the_file_s_name_ends_in(weights, tmp_path, capsys):
    target = tmp_path / "copy.safetensors"
    assert main(["export", str(weights), "-o", str(target)]) == 0 and target.read_bytes() == weights.read_bytes()
    assert main(["export", str(weights), "-o", str(target), "--format", "onnx", "--force"]) == 2
    assert "found another ending than onnx has, expected .onnx" in capsys.readouterr().err
    assert target.read_bytes() == weights.read_bytes()


def test_export_for_darktable_writes_an_archive_and_says_how_near_it_comes(weights, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="not installed: pip install -e '.[export]'")
    target = tmp_path / "net.dtmodel"
    command = ["export", str(weights), "--format", "dtmodel", "-o", str(target)]
    assert main(command) == 0 and zipfile.is_zipfile(target)
    written, compared = capsys.readouterr().out.splitlines()
    assert written == str(target) and float(compared.rsplit(maxsplit=1)[-1]) < 1e-5
    assert main(command) == 2 and "exists already" in capsys.readouterr().err
