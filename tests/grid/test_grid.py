"""Models × data sets: real (tiny) networks, tiny scenes, a real MLflow store."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import sftdec
from sftdec.cli import main
from sftdec.commands.evaluate import CLASSICAL
from sftdec.datasets import load_scenes
from sftdec.evaluation import evaluate as evaluation
from sftdec.evaluation.evaluate import evaluate_network, summarise
from sftdec.evaluation.metrics import psnr
from sftdec.grid import CellStore, GridModel, data_at_hand, fill, fill_grid, models_at_hand
from sftdec.grid.code import code_checksum
from sftdec.grid.data import find_pairs
from sftdec.grid.table import failure_lines
from sftdec.networks import load_weights
from sftdec.networks.peers import build_peer, save_peer
from sftdec.registry import versions
from sftdec.registry.package import create_version
from sftdec.registry.store import open_registry
from sftdec.tracking import TrackingSettings, checksum, read_settings, send_pending
from sftdec.tracking.cell_runs import EXPERIMENT
from sftdec.tracking.settings import experiment_id, fluent_store, open_client
from sftdec.tracking.spool import pending_spools
from tests.networks.peers import original_names
from tests.registry.small import brightening, make_scenes, tamper
from tests.tracking.recorded import free_port


@pytest.fixture
def project(root: Path, bright: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with scenes of two data sets and two networks; nothing is registered."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_scenes(root / "build/scenes", count=2)
    for name, weights in (("models/s3", "good"), ("comparison/sft_dec/equal_time", "better")):
        (root / f"build/{name}").parent.mkdir(parents=True)
        shutil.copy(bright[weights], root / f"build/{name}.safetensors")
    return root


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many networks were measured on a data set."""
    calls: list[int] = []

    def measure(*given, **named):
        calls.append(1)
        return evaluate_network(*given, **named)

    monkeypatch.setattr(evaluation, "evaluate_network", measure)
    return calls


def networks(project: Path, settings: TrackingSettings | None = None):
    """The models of the project that are files."""
    return [model for model in models_at_hand(project, (), settings) if model.kind != "method"]


def filled(project: Path, settings: TrackingSettings | None = None, **pairs: Path):
    """The grid of the project's networks."""
    data = data_at_hand(project / "build/scenes", "test", pairs)
    return fill_grid(networks(project), data, project, "cpu", settings=settings)


def cell_runs(settings: TrackingSettings):
    client = open_client(settings)
    return client.search_runs([experiment_id(client, settings, EXPERIMENT)])


def make_pairs(folder: Path) -> Path:
    """Two sharp photos, and blurred ones whose names begin with theirs; ``a_1``'s begins with ``a``'s as well."""
    generator = np.random.default_rng(3)
    for part in ("input", "ground_truth"):
        (folder / part).mkdir(parents=True)
    for name in ("a", "a_1"):
        sharp = generator.integers(80, 200, (20, 24, 3)).astype(np.uint8)
        Image.fromarray(sharp).save(folder / "ground_truth" / f"{name}.png")
        Image.fromarray((sharp * 0.8).astype(np.uint8)).save(folder / "input" / f"{name}_f2.png")
    return folder


def test_each_cell_is_measured_once_and_is_a_run_of_each_store_once(
    project: Path, settings: TrackingSettings, counted: list[int], tmp_path_factory: pytest.TempPathFactory, empty_store
) -> None:
    first = filled(project)
    assert first.measured == len(counted) == 6 and not first.failures and len(first.cells) == 6
    again = filled(project)
    assert again.measured == 0 and len(counted) == 6
    assert {place: cell.figures for place, cell in again.cells.items()} == {
        place: cell.figures for place, cell in first.cells.items()
    }
    network = load_weights(project / "build/models/s3.safetensors")
    expected = summarise(evaluate_network(network, load_scenes(project / "build/scenes", "test", "here")))["here"]
    found = again.cells["s3", "here"].figures
    assert expected.items() <= found.items() and found["psnr_gain"] == pytest.approx(
        expected["psnr"] - expected["psnr_blurred"], abs=1e-6
    )

    runs = cell_runs(settings)
    assert len(runs) == 6 and {run.info.status for run in runs} == {"FINISHED"} and pending_spools(project) == []
    run = next(run for run in runs if run.info.run_name == "s3 × here")
    assert run.data.metrics == {key: pytest.approx(value) for key, value in found.items()}
    assert run.data.params == {"model": "s3", "dataset": "here", "split": "test", "kind": "sft_dec", "device": "cpu"}
    assert run.data.tags["hash.model"] == checksum(project / "build/models/s3.safetensors")
    assert run.inputs.dataset_inputs[0].dataset.name == "here" and "mlflow.parentRunId" not in run.data.tags
    table = project / "mlruns" / EXPERIMENT / run.info.run_id / "artifacts" / again.cells["s3", "here"].table.name
    assert pd.read_parquet(table)["scene"].tolist() == ["here/0", "here/1"]

    other = tmp_path_factory.mktemp("other") / "mlflow.db"
    shutil.copy(empty_store, other)
    elsewhere = read_settings(project, {"MLFLOW_TRACKING_URI": f"sqlite:///{other}"})
    assert filled(project, elsewhere).measured == 0 and len(cell_runs(elsewhere)) == 6
    filled(project, elsewhere)
    assert len(cell_runs(elsewhere)) == 6 == len(cell_runs(settings)) and len(counted) == 6


def test_a_changed_model_or_data_set_or_another_split_is_measured_and_nothing_else(
    project: Path, bright: dict[str, Path], counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    before = filled(project)
    shutil.copy(bright["best"], project / "build/models/s3.safetensors")
    after = filled(project)
    assert after.measured == 2 and after.cells["s3", "here"].key != before.cells["s3", "here"].key
    assert after.cells["builtin", "here"].key == before.cells["builtin", "here"].key
    make_scenes(project / "build/scenes", count=2, dark=("there",))  # here's blurred photos are other ones now
    after = filled(project)
    assert after.measured == 3 and {name for (_, name), cell in after.cells.items()} == {"here", "there"}
    assert filled(project, more=make_pairs(project / "photos")).measured == 3
    shutil.copy(bright["good"], project / "build/models/s3.safetensors")
    make_scenes(project / "build/scenes", count=2)
    assert filled(project).measured == 0 and len(counted) == 14
    here = data_at_hand(project / "build/scenes", "test", {})[0]
    for measured in (3, 0):
        assert fill_grid(networks(project), [replace(here, split="validation")], project).measured == measured
    monkeypatch.setattr(fill, "code_checksum", lambda kind: "other code")
    assert fill_grid(networks(project), [here], project).measured == 3
    assert not (project / ".tracking").exists()


@pytest.mark.parametrize("damage", ["flipped", "no table", "torn note", "another's"])
def test_a_damaged_cell_is_measured_anew_with_a_warning(
    project: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    first = filled(project)
    cell, other = first.cells["s3", "here"], first.cells["s3", "there"]
    note = cell.table.with_suffix(".json")
    if damage == "flipped":
        tamper(cell.table)
    elif damage == "no table":
        cell.table.unlink()
    elif damage == "torn note":
        note.write_bytes(note.read_bytes()[:50])
    else:
        shutil.copy(other.table.with_suffix(".json"), note)
    again = filled(project)
    assert again.measured == 1 and f"{note}: a damaged cell" in caplog.text
    assert again.cells["s3", "here"].figures == cell.figures
    caplog.clear()
    assert filled(project).measured == 0 and not caplog.text


def test_what_a_kill_left_of_a_cell_is_no_cell(tmp_path: Path) -> None:
    (tmp_path / "abc.parquet").write_bytes(b"whole or not")  # the note is written last
    assert CellStore(tmp_path).find("abc") is None


def test_a_call_that_was_stopped_goes_on_with_the_cell_it_was_at(
    project: Path, settings: TrackingSettings, counted: list[int]
) -> None:
    data, models = data_at_hand(project / "build/scenes", "test", {}), networks(project)

    def stop_at_the_third(model, on) -> None:
        if len(counted) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_grid(models, data, project, on_cell=stop_at_the_third)
    assert len(cell_runs(settings)) == 2
    assert fill_grid(models, data, project).measured == 4 and len(counted) == 6 == len(cell_runs(settings))


def test_memory_that_is_not_there_is_one_models_failure(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    huge = GridModel("peer", ("huge",), ("nowhere",), "0" * 64, (lambda device: torch.empty(10**15),))
    grid = fill_grid([huge, *networks(project)[:1]], data_at_hand(project / "build/scenes", "test", {}), project)
    assert grid.measured == 2 and failure_lines(grid) == [f"huge: {grid.failures['huge', 'here']}"]
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


@pytest.mark.slow
def test_a_model_that_fails_is_named_and_the_others_are_measured(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "build/comparison")
    whole = (project / "build/models/s3.safetensors").read_bytes()
    for name, content in (("cut", whole[:999]), ("nan", brightening(project / "nan", float("nan")).read_bytes())):
        (project / f"build/comparison/{name}").mkdir(parents=True)
        (project / f"build/comparison/{name}/equal_time.safetensors").write_bytes(content)
    (project / "published").mkdir()
    (project / "published/mystery.pth").touch()
    (project / "published/README.md").touch()
    pairs = make_pairs(project / "photos")
    assert main(["evaluate", "--all", "--device", "cpu", "--pairs", f"photos={pairs}"]) == 1
    printed = capsys.readouterr().out
    lines = {line.split("  ")[0]: line.split()[1:] for line in printed.splitlines()}
    assert lines["cut"] == ["failed"] * 9 == lines["nan"] and "cut short" in printed
    assert "mystery.pth: published/mystery.pth: found the name 'mystery', expected that of a network" in printed
    assert [float(figure) > 0 for figure in lines["s3"][:2]] == [True, True]
    assert lines["oracle"][3:6] == ["–"] * 3 and lines["s3"][5] == "–" and lines["oracle"][2] == "0.0000"
    page = (project / "reports/grid.md").read_text()
    assert "the data range is 255" in page and "- cut: build/comparison/cut/equal_time.safetensors: not a" in page
    table = pd.read_csv(project / "reports/grid.csv")
    assert table["failure"].notna().sum() == 9 and set(CLASSICAL) < set(table["model"])
    assert main(["evaluate", "--all", "--device", "cpu", "--pairs", f"photos={pairs}"]) == 1
    assert "14 cells, 0 of them measured now" in capsys.readouterr().out
    assert (project / "reports/grid.md").read_text() == page


def test_photographed_pairs_are_measured_without_maps_and_matched_by_the_longest_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    folder = make_pairs(project / "photos")
    pairs = find_pairs(folder)
    assert [(blurred.name, sharp.name) for blurred, sharp in pairs] == [
        ("a_1_f2.png", "a_1.png"),
        ("a_f2.png", "a.png"),
    ]
    figures = filled(project, photos=folder).cells["s3", "photos"].figures
    read = [[np.asarray(Image.open(path)) for path in pair] for pair in pairs]
    assert figures["psnr_blurred"] == pytest.approx(np.mean([psnr(*pair) for pair in read]), abs=1e-6)
    assert "mae" not in figures and figures["images"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "builtin"], "leave out --model"),
        (["--deconvolve", "--psf", "disc"], "leave out --deconvolve, --psf"),
        (["--pairs", "photos"], "--pairs photos: expected NAME=FOLDER"),
        (["--pairs", "photos=nowhere"], "nowhere: found no pair; expected pictures in input/"),
        (["--pairs", "here=photos"], "has a data set here; give the pairs another name"),
        (["--published", "nowhere"], "--published nowhere: there is no such folder"),
        (["--published", "vgg=x.pth"], "found 'vgg', expected one of did_anet, "),
        (["--published", "ifan=x.pth"], "--published ifan=x.pth: there is no such file"),
        (["--split", "validation"], "split validation; there is: here/test, there/test"),
        (["--scenes", "nowhere"], "there are no scenes yet"),
    ],
)
def test_what_cant_be_is_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    make_pairs(project / "photos")
    assert main(["evaluate", "--all", *given]) == 2
    assert said in capsys.readouterr().err and not (project / "build/grid").exists()


def test_what_belongs_to_the_grid_is_refused_without_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--dataset", "here", "--pairs", "a=b"]) == 2
    assert "give --all instead of --dataset" in capsys.readouterr().err
    for given in ([], ["--all", "--dataset", "here"]):
        with pytest.raises(SystemExit, match="2"):
            main(["evaluate", *given])
        assert "--all" in capsys.readouterr().err


def test_cells_wait_for_a_store_that_is_away_and_are_sent_once(
    project: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    away = read_settings(project, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})
    data = data_at_hand(project / "build/scenes", "test", {})
    models = networks(project, settings)
    for _ in range(2):
        fill_grid(models, data, project, settings=away)
        assert "runs of the grid wait in" in caplog.text and len(pending_spools(project)) == 6
    assert send_pending(project, settings) == 6 and len(cell_runs(settings)) == 6
    fill_grid(models, data, project, settings=away)  # it can't tell that another store has them
    assert send_pending(project, settings) == 6 and len(cell_runs(settings)) == 6


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


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ("networks/blocks.py", {"sft_dec", "peer"}),
        ("networks/peers/ifan.py", {"peer"}),
        ("classical/edges.py", {"method"}),
        ("evaluation/metrics.py", {"sft_dec", "peer", "method"}),
        ("cli.py", set()),
    ],
)
def test_a_cell_depends_on_the_code_of_its_kind_alone(tmp_path: Path, changed: str, kinds: set[str]) -> None:
    package = shutil.copytree(Path(sftdec.__file__).parent, tmp_path / "sftdec", ignore=shutil.ignore_patterns("_*"))
    before = {kind: code_checksum(kind, package) for kind in ("sft_dec", "peer", "method")}
    (package / changed).write_text((package / changed).read_text() + "\n")
    assert {kind for kind in before if code_checksum(kind, package) != before[kind]} == kinds
