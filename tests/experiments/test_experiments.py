"""An experiment's parameter file, and the parameters of each of its cells."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sftdec.experiments.definition import Cell, cell_params, check_cells, load_experiment, read_cells, with_changes
from sftdec.params import ParamsError

ROOT = Path(__file__).parents[2]
BASE = ROOT / "params.yaml"
EXPERIMENTS = sorted({path.parent.name for path in ROOT.glob("experiments/*/params.yaml")} - {"comparison"})


def values():
    return {
        "folds": [0, 1],
        "photos": {"builtin": False},
        "steps": {"s1": 100, "s2": 200},
        "variants": {"plain": {"network.modulation": "baseline"}, "dec": {}},
    }


def experiment(tmp_path, **changes):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values() | changes, sort_keys=False))
    return load_experiment(path)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_variant_of_the_shipped_experiments_has_valid_parameters(name):
    found = load_experiment(ROOT / "experiments" / name / "params.yaml")
    stages = [stage for stage in ("s1", "s2", "s3", "end_to_end") if stage in found.steps]
    for variant in found.variants:
        for stage in stages:
            assert getattr(cell_params(BASE, found, Cell(variant, stage, 1)).train, stage).steps == found.steps[stage]


def test_end_to_end_gets_the_steps_of_the_three_stages():
    steps = load_experiment(ROOT / "experiments/table3/params.yaml").steps
    assert steps["end_to_end"] == steps["s1"] + steps["s2"] + steps["s3"]


def test_no_reading_is_judged_on_the_test_s_photos():
    found = load_experiment(ROOT / "experiments/readings/params.yaml")
    rows = csv.DictReader((ROOT / "data/sample/recipes.csv").open(encoding="utf-8"))
    assert set(found.photos.left_out) == {row["photo"] for row in rows if row["split"] == "test"}
    assert set(found.labels) | {"default"} == set(found.variants)


def test_a_cell_has_its_variants_changes_its_fold_and_its_steps(tmp_path):
    params = cell_params(BASE, experiment(tmp_path), Cell("plain", "s2", 1))
    assert params.network.modulation == "baseline"
    assert params.train.common.seed == 1 and params.train.s2.steps == 200
    assert params.train.s3 == cell_params(BASE, experiment(tmp_path), Cell("dec", "s2", 0)).train.s3


def test_a_stage_without_steps_and_an_unknown_variant_are_refused(tmp_path):
    with pytest.raises(ParamsError, match=r"steps\.s3: the key is missing"):
        cell_params(BASE, experiment(tmp_path), Cell("plain", "s3", 0))
    with pytest.raises(ParamsError, match="there is no 'plane', expected one of plain, dec"):
        cell_params(BASE, experiment(tmp_path), Cell("plane", "s1", 0))


def test_a_change_of_a_key_that_isn_t_there_is_named(tmp_path):
    odd = experiment(tmp_path, variants={"odd": {"network.gama": "scale"}, "dec": {}})
    with pytest.raises(ParamsError, match=r"variant odd, s1: network\.gama: there is no such key"):
        cell_params(BASE, odd, Cell("odd", "s1", 0))
    with pytest.raises(ParamsError, match=r"trian\.s1\.steps: there is no section 'trian'"):
        with_changes({"train": {}}, {"trian.s1.steps": 3})


def test_a_stage_too_short_for_its_warm_up_is_refused_before_the_first_is_trained(tmp_path):
    short = experiment(tmp_path, steps={"s1": 100, "s2": 20}, changes={"train.s1.warm_up": 5, "train.s2.warm_up": 20})
    with pytest.raises(ParamsError, match=r"variant plain, s2: train\.s2\.warm_up: found 20, expected fewer than"):
        check_cells(BASE, short)
    check_cells(BASE, experiment(tmp_path))


def test_changes_leave_the_values_they_are_made_to_alone():
    before = {"train": {"s1": {"steps": 1}}}
    assert with_changes(before, {"train.s1.steps": 2}) == {"train": {"s1": {"steps": 2}}}
    assert before == {"train": {"s1": {"steps": 1}}}


def test_steps_take_the_place_of_epochs_and_the_other_way_round():
    paper = {"s1": {"steps": None, "epochs": 400.0}}
    assert with_changes(paper, {"s1.steps": 9}) == {"s1": {"steps": 9, "epochs": None}}
    assert with_changes({"s1": {"steps": 9, "epochs": None}}, {"s1.epochs": 2.0}) == {
        "s1": {"steps": None, "epochs": 2.0}
    }
    assert with_changes(paper, {"s1.steps": 9, "s1.epochs": 2.0}) == {"s1": {"steps": 9, "epochs": 2.0}}
    assert with_changes({"s1": {"steps": 3}}, {"s1.steps": 9}) == {"s1": {"steps": 9}}


def test_an_experiment_may_stand_on_parameters_that_count_epochs(tmp_path):
    found = cell_params(BASE.with_name("params.paper.yaml"), experiment(tmp_path), Cell("plain", "s1", 0))
    assert found.train.s1.steps == 100 and found.train.s1.epochs is None


def test_an_unusable_file_is_named_with_its_key(tmp_path):
    with pytest.raises(ParamsError, match=r"params\.yaml: seedz: there is no such key \(found \[1\]\)"):
        experiment(tmp_path, seedz=[1])
    with pytest.raises(ParamsError, match=r"folds: found \[0, 2\], expected 0, 1, … in order"):
        experiment(tmp_path, folds=[0, 2])
    with pytest.raises(ParamsError, match=r"nowhere\.yaml: there is no such parameter file"):
        load_experiment(tmp_path / "nowhere.yaml")


def test_the_cells_that_are_there_are_read_and_other_files_are_not(tmp_path):
    found = experiment(tmp_path)
    there = [Cell("plain", "s1", 0), Cell("dec", "s2", 1)]
    for cell in [*there, Cell("plain", "s1", 9), Cell("odd", "s1", 0)]:
        cell.per_image(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"psnr": [25.0, 26.0]}).to_parquet(cell.per_image(tmp_path))
    table = read_cells(found, tmp_path)
    assert len(table) == 4
    assert {Cell(row.variant, row.stage, row.fold) for row in table.itertuples()} == set(there)
    with pytest.raises(ParamsError, match="none of the experiment's"):
        read_cells(found, tmp_path / "elsewhere")
