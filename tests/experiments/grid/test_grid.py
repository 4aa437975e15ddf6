"""Models × data sets: real (tiny) networks, tiny scenes, a real MLflow store."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sftdec
from sftdec.cli import main
from sftdec.commands.evaluate import CLASSICAL
from sftdec.datasets import find_pairs, load_scenes
from sftdec.evaluation.evaluate import evaluate_network, summarise
from sftdec.evaluation.metrics import psnr
from sftdec.experiments import published
from sftdec.experiments.grid import fill
from sftdec.experiments.grid.code import code_checksum
from sftdec.experiments.grid.data import data_at_hand
from sftdec.experiments.grid.fill import fill_grid
from sftdec.experiments.store import CellStore
from sftdec.networks import load_weights
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings, send_pending
from sftdec.tracking.cell_runs import EXPERIMENT
from sftdec.tracking.spool import pending_spools
from tests.experiments.grid.filling import cell_runs, filled, make_pairs, networks
from tests.registry.small import brightening, make_scenes, tamper
from tests.tracking.recorded import free_port


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
    assert [(pair.blurred.name, pair.sharp.name) for pair in pairs] == [
        ("a_1_f2.png", "a_1.png"),
        ("a_f2.png", "a.png"),
    ]
    figures = filled(project, photos=folder).cells["s3", "photos"].figures
    read = [[np.asarray(Image.open(path)) for path in (pair.blurred, pair.sharp)] for pair in pairs]
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
        assert "runs wait in" in caplog.text and len(pending_spools(project)) == 6
    assert send_pending(project, settings) == 6 and len(cell_runs(settings)) == 6
    fill_grid(models, data, project, settings=away)  # it can't tell that another store has them
    assert send_pending(project, settings) == 6 and len(cell_runs(settings)) == 6


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ("networks/blocks.py", {"sft_dec", "peer"}),
        ("peers/ifan.py", {"peer"}),
        ("classical/edges.py", {"method"}),
        ("evaluation/metrics.py", {"sft_dec", "peer", "method"}),
        ("datasets/pairs.py", {"sft_dec", "peer", "method"}),
        ("cli.py", set()),
    ],
)
def test_a_cell_depends_on_the_code_of_its_kind_alone(tmp_path: Path, changed: str, kinds: set[str]) -> None:
    package = shutil.copytree(
        Path(sftdec.__file__).parent, tmp_path / "sftdec", ignore=shutil.ignore_patterns("__pycache__")
    )
    before = {kind: code_checksum(kind, package) for kind in ("sft_dec", "peer", "method")}
    (package / changed).write_text((package / changed).read_text() + "\n")
    assert {kind for kind in before if code_checksum(kind, package) != before[kind]} == kinds


@pytest.mark.parametrize("changed", ["evaluation/protocols.py", "datasets/pairs.py", "photos/pixels.py"])
def test_a_published_figure_depends_on_the_code_of_its_protocol(tmp_path: Path, changed: str) -> None:
    package = shutil.copytree(
        Path(sftdec.__file__).parent, tmp_path / "sftdec", ignore=shutil.ignore_patterns("__pycache__")
    )
    before = code_checksum("sft_dec", package, published.MEASURING)
    (package / changed).write_text((package / changed).read_text() + "\n")
    assert code_checksum("sft_dec", package, published.MEASURING) != before
