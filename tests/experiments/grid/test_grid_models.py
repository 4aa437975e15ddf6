"""Which models are at hand, and under which names."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sftdec.datasets import load_scenes
from sftdec.evaluation.evaluate import evaluate_network
from sftdec.experiments.grid.data import data_at_hand
from sftdec.experiments.grid.fill import fill_grid
from sftdec.experiments.grid.models import GridModel, models_at_hand
from sftdec.experiments.grid.table import failure_lines, grid_rows
from sftdec.peers import build_peer, save_peer
from sftdec.registry import versions
from sftdec.registry.package import create_version
from sftdec.registry.store import open_registry
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import fluent_store, open_client
from tests.experiments.grid.filling import filled, networks
from tests.peers import original_names
from tests.tracking.recorded import free_port


def test_memory_that_is_not_there_is_one_models_failure(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    huge = GridModel("peer", ("huge",), ("nowhere",), "0" * 64, (lambda device: torch.empty(10**15),))
    grid = fill_grid([huge, *networks(project)[:1]], data_at_hand(project / "build/scenes", "test", {}), project)
    assert grid.measured == 2 and failure_lines(grid_rows(grid)) == [f"huge: {grid.failures['huge', 'here']}"]
    assert grid.failures["huge", "there"].startswith("RuntimeError: ") and "memory" in grid.failures["huge", "here"]


def test_one_content_is_one_row_under_all_its_names(
    project: Path, settings: TrackingSettings, bright: dict[str, Path], counted: list[int]
) -> None:
    same = project / "build/models/s3.safetensors"
    with open_registry(settings) as client, fluent_store(settings):
        create_version(client, settings, same, None, {"weights_sha256": checksum(same)})
        create_version(client, settings, bright["best"], None, {"weights_sha256": checksum(bright["best"])})
        client.set_registered_model_alias("sft-dec", "champion", "1")
    shutil.copy(same, project / "build/comparison/sft_dec/equal_time.safetensors")
    names = [model.name for model in networks(project)]
    assert names == ["builtin", "sft-dec/1 = sft-dec@champion = s3 = sft_dec", "sft-dec/2"]
    for version in versions(project)[:1]:  # its own file is gone: the content is at hand all the same
        place = Path(open_client(settings).get_model_version_download_uri("sft-dec", "1").removeprefix("file://"))
        shutil.rmtree(place)
        assert version.number == 1
    grid = filled(project)
    assert not grid.failures and grid.measured == len(counted) == 6
    sources = next(model for model in grid.models if model.name == names[1]).sources
    assert sources == (
        "models:/sft-dec/1",
        "build/models/s3.safetensors",
        "build/comparison/sft_dec/equal_time.safetensors",
    )


def test_a_registry_that_is_away_is_a_model_that_fails(project: Path) -> None:
    away = read_settings(project, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})
    model = next(model for model in models_at_hand(project, (), away) if model.names == ("sft-dec",))
    assert model.digest is None and "does not answer" in model.problem


def test_a_peer_of_the_comparison_is_a_row(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    network, path = (
        build_peer("nafnet32", "small", seed=1),
        project / "build/comparison/nafnet32/equal_time.safetensors",
    )
    save_peer(network, "small", path)
    models = [model for model in networks(project) if model.name == "nafnet32"]
    cell = fill_grid(models, data_at_hand(project / "build/scenes", "test", {}), project).cells["nafnet32", "here"]
    expected = evaluate_network(network.eval(), load_scenes(project / "build/scenes", "test", "here"))
    assert cell.figures["psnr"] == pytest.approx(expected["psnr"].mean(), abs=1e-6) and "mae" not in cell.figures


def test_files_of_different_content_have_rows_of_different_names(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    files = ("a/mprnet.pth", "b/mprnet.pth", "b/mprnet.pt", "b/mprnet-v1.0.pth", "b/mprnet-v1.1.pth.tar", "A", "B")
    for file in (*files, "b/other.pth"):
        (project / file).parent.mkdir(exist_ok=True)
        (project / file).write_text(file)
    shutil.copy(project / "a/mprnet.pth", project / "b/mprnet.ckpt")
    models = models_at_hand(project, ["a", "b", "b", "ifan=A", "ifan=B"])
    names = [model.name for model in models if model.kind == "peer"]
    assert names == [
        "published mprnet (a/mprnet.pth) = published mprnet (b/mprnet.ckpt)",
        "published mprnet-v1.0",
        "published mprnet-v1.1",
        "published mprnet (b/mprnet.pt)",
        "published mprnet (b/mprnet.pth)",
        "other.pth",
        "published ifan (A)",
        "published ifan (B)",
    ]
    grid = fill_grid(
        [model for model in models if model.kind == "peer"], data_at_hand(project / "build/scenes", "test", {}), project
    )
    assert len(grid.failures) == 2 * len(names)


@pytest.mark.slow
def test_downloaded_weights_are_found_by_their_names(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    torch.save(original_names.random_weights(original_names.did_anet()), project / "model_best.pth.tar")
    (project / "published").mkdir()
    shutil.copy(project / "model_best.pth.tar", project / "published/did_anet-deblur.pth.tar")
    given = ["published", "did_anet=model_best.pth.tar"]
    model = next(model for model in models_at_hand(project, given) if model.kind == "peer")
    assert model.name == "published did_anet-deblur = published did_anet"
    assert [one.name for one in models_at_hand(project) if one.kind == "peer"] == ["published did_anet-deblur"]
    data = data_at_hand(project / "build/scenes", "test", {})[:1]
    (cell,) = fill_grid([model], data, project).cells.values()
    assert np.isfinite(cell.figures["psnr"]) and "mae" in cell.figures
