"""One cell of an experiment on a data set of seconds, and the experiments' DVC files as DVC reads them."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines.dvc.experiments import show_experiment
from sftdec.experiments.cells import train_cell
from sftdec.experiments.definition import Cell, cell_params, load_experiment, read_cells
from sftdec.networks import load_weights
from sftdec.training.run import StageOrderError
from tests.training.small import make_build

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(tmp_path):
    return make_build(tmp_path, "test")


@pytest.fixture
def base(tmp_path):
    """params.yaml cut down to seconds."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["patches"] |= {"patch_size": 24, "stride": 24}
    values["network"] |= {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}
    values["train"]["common"] |= {"crop": 16, "batch_size": 2, "threads": 1, "precision": "fp32", "device": "cpu"}
    for name in ("s1", "s2", "s3", "end_to_end"):
        values["train"][name] |= {"warm_up": 1, "validate_every": 5, "checkpoint_every": 4}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def experiment(tmp_path):
    values = {
        "folds": [0, 1],
        "photos": {"builtin": False},
        "steps": {"s1": 4, "s2": 4, "end_to_end": 8},
        "variants": {
            "baseline": {"network.modulation": "baseline"},
            "dec": {},
            "gentle": {"train.s2.learning_rate": 0.001},
        },
    }
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_experiment(path)


@pytest.fixture
def run(build, base, experiment):
    def train(variant, stage, fold=0, start=None, out="out", told=None):
        cell = Cell(variant, stage, fold)
        begun = replace(cell, variant=start or variant)
        params = cell_params(base, experiment, cell)
        for part in ("scenes", "patches"):
            copied = cell.data(build / out) / part
            shutil.copytree(build / part, copied, dirs_exist_ok=True)
        report = lambda step, metrics: told is None or told.append((step, metrics["loss"]))  # noqa: E731
        judged = train_cell(cell, params, build / out, build / "checkpoints", begun, report)
        assert judged.equals(pd.read_parquet(cell.per_image(build / out)))
        (finished,) = (build / "checkpoints").glob("*/done")
        shutil.rmtree(finished.parent)  # the next one trains for itself
        return cell

    return train


def test_a_cell_leaves_weights_of_its_modulation_a_curve_and_a_row_a_photo(run, build):
    told = []
    cell = run("baseline", "s1", told=told)
    assert [step for step, _ in told] == pd.read_csv(cell.curve(build / "out"))["step"].tolist()
    assert load_weights(cell.weights(build / "out")).config.modulation == "baseline"
    assert pd.read_csv(cell.curve(build / "out"))["step"].tolist()[-1] == 4
    table = pd.read_parquet(cell.per_image(build / "out"))
    assert table[["scene", "photo", "split"]].to_numpy().tolist() == [["set/3", "3", "test"]]
    assert {"psnr", "ssim", "mae"} <= set(table.columns)
    assert not list((build / "checkpoints").glob("*"))


def test_the_fold_s_seed_decides_the_weights_and_the_same_cell_ends_in_the_same_bytes(run, build):
    first, other = run("dec", "s1", 0), run("dec", "s1", 1)
    run("dec", "s1", 0, out="again")
    assert first.weights(build / "out").read_bytes() != other.weights(build / "out").read_bytes()
    assert first.weights(build / "out").read_bytes() == first.weights(build / "again").read_bytes()
    assert first.per_image(build / "out").read_bytes() == first.per_image(build / "again").read_bytes()


def test_a_stage_goes_on_from_its_own_variants_weights_or_from_anothers(run, build):
    with pytest.raises(StageOrderError, match="no weights of stage s1"):
        run("gentle", "s2")
    run("dec", "s1")
    run("dec", "s2")
    cell = run("gentle", "s2", start="dec")
    assert cell.weights(build / "out").is_file()
    assert not replace(cell, stage="s1").weights(build / "out").exists()


def test_what_the_cells_wrote_is_one_table(run, build, experiment):
    run("baseline", "s1", 0)
    run("dec", "end_to_end", 1)
    table = read_cells(experiment, build / "out")
    assert table.groupby(["variant", "stage", "fold"]).size().to_dict() == {
        ("baseline", "s1", 0): 1,
        ("dec", "end_to_end", 1): 1,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["readings", "table3"])
def test_dvc_reads_the_experiment_whose_files_exist(tmp_path, name):
    skipped = shutil.ignore_patterns(
        ".git", ".venv", "build", ".dvc", "mlruns", "mlflow.db*", ".tracking", ".checkpoints"
    )
    project = shutil.copytree(ROOT, tmp_path / "project", ignore=skipped)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=project, check=True)
    show_experiment(project, name)
    listed = [sys.executable, "-m", "dvc", "stage", "list", "--name-only", f"experiments/{name}/dvc.yaml"]
    names = subprocess.run(listed, cwd=project, check=True, capture_output=True, text=True).stdout.split()
    experiment = load_experiment(ROOT / "experiments" / name / "params.yaml")
    trainings = {line.partition(":")[2] for line in names if "@" in line and "folds@" not in line}
    assert {each.rpartition("@")[2] for each in trainings} == {
        f"{variant}-{fold}" for variant in experiment.variants for fold in experiment.folds
    }
    stages = yaml.safe_load((ROOT / "experiments" / name / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        assert stage["wdir"] == "../.."
        for path in (path for path in stage["deps"] if not path.startswith("build/")):
            assert (ROOT / path).exists(), path
        assert all(next(iter(out)).startswith("build/") for out in stage["outs"])  # not in reports/
