"""The archive for darktable: what it holds, and that it gives what the network gives."""

import json
import zipfile

import numpy as np
import pytest
import torch

from benchmarks.darktable import computing, in_tiles
from sftdec.builtin import builtin_weights
from sftdec.inference import darktable, export
from sftdec.inference.darktable import IDENTIFIER, OVERLAP, export_dtmodel
from sftdec.inference.export import ExportError
from sftdec.networks import load_weights, save_weights
from sftdec.runtime.checksums import checksum
from tests.inference.stirred import picture, stirred_network, whole

pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[export]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[export]'")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Weights, and their archive."""
    folder = tmp_path_factory.mktemp("darktable")
    save_weights(stirred_network(), folder / "weights.safetensors")
    network = load_weights(folder / "weights.safetensors")
    assert export_dtmodel(network, folder / "weights.safetensors", folder / "net.dtmodel") < 1e-5
    return folder / "weights.safetensors", folder / "net.dtmodel"


def test_all_files_lie_in_one_folder_that_is_called_like_the_model(made):
    with zipfile.ZipFile(made[1]) as archive:
        names = archive.namelist()
        config = json.loads(archive.read(f"{IDENTIFIER}/config.json"))
    assert names[0] == f"{IDENTIFIER}/config.json" and {name.partition("/")[0] for name in names} == {IDENTIFIER}
    assert config["id"] == IDENTIFIER and config["task"] == "denoise" and config["backend"] == "onnx"
    assert all(config[key] for key in ("name", "description", "version", "tiling"))
    assert min(config["attributes"]["input_sizes"]) > 2 * OVERLAP and config["num_inputs"] == 1


def test_it_gives_what_the_network_gives_on_any_size_and_has_one_way_in_and_one_out(made):
    import onnxruntime

    with zipfile.ZipFile(made[1]) as archive:
        session = onnxruntime.InferenceSession(archive.read(f"{IDENTIFIER}/model.onnx"))
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, given.name) == ("input", "output")
    # the names by which darktable sets a tile's sides
    assert taken.shape == given.shape == ["batch", 3, "height", "width"]
    image = picture(45, 38)
    found = session.run(None, {"input": image.transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    assert np.abs(found - whole(load_weights(made[0]), image)[0]).max() < 1e-5


def test_the_licence_is_found_behind_an_editable_installs_egg_info_and_without_it_there_is_no_archive(
    tmp_path, monkeypatch
):
    (tmp_path / "sftdec.egg-info").mkdir()
    (tmp_path / "sftdec.egg-info/PKG-INFO").write_text("Metadata-Version: 2.1\nName: sftdec\nVersion: 1.0.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "Apache License" in darktable._licence()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="licenses/LICENSE: not among what was installed"):
        darktable._licence()


def test_licence_and_provenance_are_inside_and_differ_for_the_model_that_ships(made, tmp_path):
    def papers(archive):
        with zipfile.ZipFile(archive) as opened:
            return {name.partition("/")[2]: opened.read(name).decode("utf-8", "ignore") for name in opened.namelist()}

    own = papers(made[1])
    assert checksum(made[0]) in own["README.md"] and "trained by\nsomebody else" in own["README.md"]
    assert "Apache License" in own["LICENSE"] and "MODEL_CARD.md" not in own
    assert "**not** a denoiser" in own["README.md"] and "64 px around each" in own["README.md"]
    export_dtmodel(load_weights(builtin_weights()), builtin_weights(), tmp_path / "shipped.dtmodel")
    shipped = papers(tmp_path / "shipped.dtmodel")
    card = builtin_weights().with_name("MODEL_CARD.md").read_text("utf-8")
    assert shipped["MODEL_CARD.md"] == card and "weights that ship with sftdec" in shipped["README.md"]
    assert "sees 84 px far" in shipped["README.md"]


def test_the_same_network_gives_the_same_bytes_and_one_that_differs_from_pytorch_nothing(made, tmp_path, monkeypatch):
    network = load_weights(made[0])
    export_dtmodel(network, made[0], tmp_path / "again.dtmodel")
    assert (tmp_path / "again.dtmodel").read_bytes() == made[1].read_bytes()
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(ExportError, match="not written: onnxruntime's results differ"):
        export_dtmodel(network, made[0], tmp_path / "wrong.dtmodel")
    network.set_local_pooling(20)
    with pytest.raises(ExportError, match="local pooling"):
        export_dtmodel(network, made[0], tmp_path / "wrong.dtmodel")
    assert not (tmp_path / "wrong.dtmodel").exists()


def test_the_benchmark_cuts_and_joins_as_darktable_does(made):
    image = torch.rand(1, 3, 90, 150, generator=torch.Generator().manual_seed(0)).numpy()
    assert np.array_equal(in_tiles(lambda part: part, image, 2 * OVERLAP + 40), image)
    compute, sizes = computing(made[1]), []

    def watched(part):
        sizes.append(part.shape)
        return compute(part)

    tiled = in_tiles(watched, image, 2 * OVERLAP + 60)
    assert set(sizes) == {(1, 3, 188, 188)} and len(sizes) == 2 * 3 and tiled.shape == image.shape
