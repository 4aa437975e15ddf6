"""Exported networks: the file explains itself, and every runtime computes from it what PyTorch does, in tiles too."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sftdec.deblurrer import Deblurrer
from sftdec.inference import export, runtime_choice
from sftdec.inference.export import ExportError, export_onnx, load_onnx, onnx_model
from sftdec.inference.runtime_choice import choose_precision, choose_runtimes
from sftdec.inference.runtimes import RuntimeFailedError, TorchRuntime
from sftdec.networks import build_network, save_weights
from sftdec.params.network import MODULATIONS, NetworkConfig
from sftdec.runtime import MissingExtraError

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[export]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[export]'")

TINY = {
    "features": 8,
    "blocks": 2,
    "dme_features": 8,
    "dme_blocks": 2,
    "dme_dilations": (1, 2),
    "condition_features": 8,
    "sft_features": 6,
    # far from the identity, so that every part shows
    "map_init": 0.5,
    "block_init": 0.5,
    "output_init": 0.3,
    "dme_block_init": 0.5,
    "dme_output_init": 0.5,
}
OTHERWISE = {"gamma": "scale", "gamma_activation": "sigmoid", "global_residual": False, "dme_relu": True, "merge": True}


def network(**changes):
    net = build_network(NetworkConfig.of_size("small", **(TINY | changes))).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:  # biases start at 0, which would hide that one is left out
                parameter.normal_(std=0.1, generator=generator)
    net.training_crop = 88
    return net


def picture(height=70, width=93):
    return np.random.default_rng(0).random((height, width, 3), np.float32)


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("stem", [1, 2, 4])
def test_every_network_is_exported_and_agrees_with_pytorch(modulation, stem, tmp_path):
    for changes in ({}, OTHERWISE):
        net = network(modulation=modulation, stem=stem, **changes)
        assert export_onnx(net, tmp_path / "net.onnx") < 1e-5
        with torch.inference_mode():  # the comparison would hide differences if the network did nothing
            image = torch.rand(1, 3, 20, 20)
            assert (net(image).deblurred - image).std() > 0.05


def test_the_file_says_what_it_is_and_names_nothing_else(tmp_path):
    net = network()
    export_onnx(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["sigma_max"] == "6.0" and metadata["training_crop"] == "88"
    shapes = {
        tensor.name: [side.dim_param or side.dim_value for side in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "image": ["batch", 3, "height", "width"],
        "deblurred": ["batch", 3, "height", "width"],
        "defocus": ["batch", 1, "height", "width"],
    }
    read = load_onnx(tmp_path / "net.onnx")
    assert read.config == net.config and read.training_crop == 88
    assert onnx_model(net).proto.SerializeToString() == (tmp_path / "net.onnx").read_bytes()


def test_a_file_that_differs_from_pytorch_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", 1e-12)
    with pytest.raises(ExportError, match=r"net\.onnx: not written: onnxruntime's results differ .* expected \de-12"):
        export_onnx(network(), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_pools_by_windows_is_not_exported(tmp_path):
    net = network()
    net.set_local_pooling(32)
    with pytest.raises(ExportError, match="found a window of 32 px"):
        export_onnx(net, tmp_path / "net.onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    net = network(modulation="sft_fdec")
    save_weights(net, folder / "net.safetensors")
    export_onnx(net, folder / "net.onnx")
    return folder


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_runtime_gives_in_tiles_and_threads_what_pytorch_gives_whole(runtime, exported):
    pytest.importorskip(runtime, reason=f"{runtime} is not installed: pip install -e '.[export]'")
    images = [picture(), picture(64, 50)]
    pytorch = Deblurrer.load(exported / "net.safetensors", precision="fp32", everywhere=True)
    expected = [pytorch(image) for image in images]
    assert np.abs(expected[0].image - images[0]).std() > 0.05
    settings = {"runtime": runtime, "precision": "fp32", "tile": 40, "everywhere": True}
    deblurrer = Deblurrer.load(exported / "net.onnx", **settings)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(deblurrer, images))
    for ours, theirs in zip(found, expected, strict=True):
        assert np.abs(ours.image - theirs.image).max() < 1e-5
        assert np.abs(ours.defocus - theirs.defocus).max() < 1e-5


@pytest.mark.parametrize("modulation", ["baseline", "sft", "sft_dec"])
@pytest.mark.parametrize("stem", [1, 4])
def test_the_other_modulations_and_stems_come_out_in_tiles_as_pytorchs(modulation, stem, tmp_path):
    save_weights(network(modulation=modulation, stem=stem), tmp_path / "net.safetensors")
    expected, found = (
        Deblurrer.load(tmp_path / "net.safetensors", runtime=runtime, precision="fp32", tile=40)(picture())
        for runtime in ("torch", "onnxruntime")
    )
    assert np.abs(found.image - expected.image).max() < 1e-5


def test_auto_takes_the_fastest_that_is_installed_and_can_compute_the_file(exported, monkeypatch):
    weights, file = exported / "net.safetensors", exported / "net.onnx"
    assert isinstance(Deblurrer.load(weights).runtime, TorchRuntime)
    assert Deblurrer.load(file).runtime.name == "openvino"
    monkeypatch.setattr(runtime_choice, "find_spec", lambda name: name != "openvino")
    assert Deblurrer.load(file).runtime.name == "onnxruntime"
    monkeypatch.setattr(runtime_choice, "FASTEST", ("onnxruntime", "torch"))
    assert Deblurrer.load(weights).runtime.name == "onnxruntime"
    for needs in ({"precision": "bf16"}, {"local_pooling": 32}):
        assert choose_runtimes("auto", weights, "cpu", **({"precision": "auto", "local_pooling": None} | needs)) == (
            "torch",
        )


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_where_autos_runtime_fails_half_way_torch_deblurs_the_picture_from_its_start(
    runtime, exported, monkeypatch, caplog
):
    monkeypatch.setattr(runtime_choice, "FASTEST", (runtime, "torch"))
    deblurrer = Deblurrer.load(exported / "net.safetensors", precision="fp32", tile=40)
    computing = deblurrer.runtime
    assert computing.name == runtime
    computing._deblur = computing._map  # a graph with other inputs, which the package refuses once the map is there
    with ThreadPoolExecutor(2) as threads:
        found, again = threads.map(deblurrer, [picture()] * 2)
    expected = Deblurrer.load(exported / "net.safetensors", runtime="torch", precision="fp32", tile=40)(picture())
    assert np.array_equal(found.image, expected.image) and np.array_equal(again.image, expected.image)
    (said,) = caplog.messages
    assert f"runtime {runtime}: failed" in said and "begun anew" in said


def test_a_runtime_that_was_named_is_not_replaced(exported):
    deblurrer = Deblurrer.load(exported / "net.safetensors", runtime="onnxruntime")
    deblurrer.runtime._deblur = deblurrer.runtime._map
    with pytest.raises(RuntimeFailedError, match=r"runtime onnxruntime: failed .*; take another runtime"):
        deblurrer(picture())


def test_a_runtime_that_cannot_be_loaded_is_left_out_by_auto(exported, monkeypatch, caplog):
    monkeypatch.setattr(runtime_choice, "FASTEST", ("onnxruntime", "torch"))
    monkeypatch.setattr("onnxruntime.InferenceSession", None)  # as in a build that has it not
    assert isinstance(Deblurrer.load(exported / "net.safetensors").runtime, TorchRuntime)
    assert "runtime onnxruntime: can't be loaded" in caplog.text


def test_16_bits_are_computed_in_fp32_by_openvino_too(exported):
    program = f"""
import numpy as np
from sftdec import Deblurrer
deep = np.random.default_rng(0).integers(0, 65536, (48, 64, 3)).astype(np.uint16)
settings = dict(runtime="openvino", everywhere=True)
made = [Deblurrer.load({str(exported / "net.onnx")!r}, precision=precision, **settings)(deep).image
        for precision in ("auto", "fp32", "bf16")]
print(np.array_equal(made[0], made[1]), np.array_equal(made[2], made[1]))
"""  # in a process of its own: what forks after OpenVINO's bf16 may crash
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    if "this hardware doesn't compute" in done.stderr:
        pytest.skip("this processor has no bf16")
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr


def test_auto_is_bf16_where_what_computes_has_it():
    assert [choose_precision("auto", has) for has in (True, False)] == ["bf16", "fp32"]
    assert choose_precision("fp32", True) == "fp32"
    for precision, told in (("bf16", "doesn't compute"), ("int8", "expected auto, bf16 or fp32")):
        with pytest.raises(ValueError, match=told):
            choose_precision(precision, False)


def test_what_is_no_model_of_ours_is_named(exported, tmp_path):
    content = (exported / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    model = onnx.load(exported / "net.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    (tmp_path / "empty.onnx").touch()
    for name, message in (
        ("none", "no such file"),
        ("cut", "cut short"),
        ("empty", "not an ONNX model"),
        ("other", "without an SFT-Dec configuration"),
    ):
        with pytest.raises(ExportError, match=rf"{name}\.onnx.*{message}.*sftdec export"):
            Deblurrer.load(tmp_path / f"{name}.onnx", runtime="onnxruntime")


def test_what_a_runtime_does_not_have_is_refused(exported):
    weights = exported / "net.safetensors"
    for given, message in (
        ({"runtime": "onnxruntime", "precision": "bf16"}, "precision: found 'bf16', expected auto or fp32"),
        ({"runtime": "onnxruntime", "device": "cuda"}, "device: found 'cuda', expected auto or cpu"),
        ({"runtime": "onnxruntime", "local_pooling": 32}, "local pooling: found a window of 32 px"),
        ({"runtime": "abacus"}, "runtime: found 'abacus'"),
    ):
        with pytest.raises(ValueError, match=message):
            Deblurrer.load(weights, **given)
    with pytest.raises(ValueError, match="found an ONNX model, expected weights"):
        Deblurrer.load(exported / "net.onnx", runtime="torch")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_runtime_that_is_missing_is_named_with_the_extra(runtime, exported, monkeypatch):
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(MissingExtraError, match=rf"runtime {runtime} needs the extra export.*pip install .*\[export\]"):
        Deblurrer.load(exported / "net.onnx", runtime=runtime)
