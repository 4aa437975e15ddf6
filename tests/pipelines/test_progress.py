"""How far an experiment has come, told at the end of each of its stages."""

from pathlib import Path

import pytest

from experiments.table3.on_gpu import cells, files
from pipelines.stages.progress import how_far, results
from sftdec.experiments import load_experiment
from sftdec.lineage import stage_order

ROOT = Path(__file__).parents[2]


def test_the_stages_of_table_3_are_all_known_by_what_they_leave():
    experiment = load_experiment(ROOT / "experiments/table3/params.yaml")
    build, found = Path("build/table3"), results(Path(), ROOT / "experiments/table3")
    data = [build / "scenes", *(build / "folds" / str(fold) for fold in experiment.folds)]
    weights = {files(cell, build)[0] for cell in cells(experiment)}
    assert set(found) == {*data, *weights, Path("build/tables/table3/table3.md")} and len(found) == len(set(found))


@pytest.mark.slow
def test_an_experiment_has_as_many_results_as_stages_in_dvc(experiment):
    own = [stage for stage in stage_order(experiment, "experiments/small/dvc.yaml") if stage.startswith("experiments")]
    assert len(results(experiment, experiment / "experiments/small")) == len(own)


def test_it_is_said_of_an_experiment_s_stage_alone(tmp_path):
    folder = tmp_path / "experiments/own"
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("folds: [0, 1]")
    stage = "experiments/own/dvc.yaml:s1@b-1"
    matrix = "{variant: [a, b], fold: '${folds}'}"
    outs = "['build/${item.variant}-${item.fold}': {push: false}]"
    (folder / "dvc.yaml").write_text(f"stages: {{s1: {{matrix: {matrix}, cmd: x, outs: {outs}}}}}")
    (tmp_path / "build/b-1").mkdir(parents=True)
    assert how_far(tmp_path, stage) == "; 1 of 4 stages done"
    assert how_far(tmp_path, "train_s1") == ""
    (folder / "dvc.yaml").write_text("stages: {s1: {foreach: [1], do: {cmd: x}}}")
    assert how_far(tmp_path, stage) == ""
