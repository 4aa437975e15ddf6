"""An experiment's flow over a small project with a matrix whose stages take milliseconds."""

import sys
from pathlib import Path

import pytest
import yaml

from pipelines.dvc.stages import StageFailed, run_dvc
from pipelines.flows import experiment as flow
from sftdec.lineage import stage_order
from tests.pipelines.flows import artifacts_of, journal, outcomes

ROOT = Path(__file__).parents[3]
FILE = "experiments/small/dvc.yaml"
TRAININGS = ["s1-plain-0", "s1-plain-1", "s2-plain-0", "s2-plain-1", "s2-dec-0", "s2-dec-1"]


def quiet(line):
    """For tests that don't look at the log."""


def test_an_experiments_stages_follow_those_of_the_main_pipeline_that_they_read_from(experiment):
    mine = [f"{FILE}:{name.replace('-', '@', 1)}" for name in TRAININGS]
    assert stage_order(experiment, FILE) == ["fetch", *mine, f"{FILE}:small"]


@pytest.mark.slow
def test_every_training_is_a_task_and_the_page_an_artifact_and_a_second_run_runs_nothing(experiment, prefect_server):
    state = flow.experiment("small", root=experiment, return_state=True)
    found = outcomes(state.result())
    assert list(found.values()) == ["ran"] * 8
    assert list(found) == ["fetch", *(f"{FILE}:{name.replace('-', '@', 1)}" for name in TRAININGS), f"{FILE}:small"]
    assert journal(experiment) == ["fetch", *TRAININGS, "small"]
    artifacts = artifacts_of(state)
    assert artifacts["small"] == (experiment / "reports/small.md").read_text()
    assert f"| {FILE}:s2@dec-1 | ran |" in artifacts["summary"]

    (experiment / "journal.txt").unlink()
    again = flow.experiment("small", root=experiment, return_state=True)
    assert set(outcomes(again.result()).values()) == {"unchanged"} and journal(experiment) == []
    assert "Nothing changed" in artifacts_of(again)["summary"] and "small" in artifacts_of(again)

    assert run_dvc(["repro", "--dry", FILE], experiment, quiet)[-1].startswith("Data and pipelines are up to date")
    (experiment / "experiments/small/params.yaml").write_text("seeds: [0, 1, 2]\n")
    more = outcomes(flow.experiment("small", root=experiment))
    assert {stage for stage, outcome in more.items() if outcome == "ran"} == {
        f"{FILE}:{name}" for name in ("s1@plain-2", "s2@plain-2", "s2@dec-2", "small")
    }


@pytest.mark.slow
def test_a_plain_repro_leaves_the_experiment_alone(experiment):
    run_dvc(["repro"], experiment, quiet)
    assert journal(experiment) == ["fetch", "train_s1"]


@pytest.mark.slow
def test_a_failed_training_is_named_and_those_before_it_are_kept(experiment, prefect_server):
    path = experiment / FILE
    path.write_text(path.read_text().replace("stage.py s2-${item.variant}", "absent.py s2-${item.variant}"))
    with pytest.raises(StageFailed, match=r"stage 'experiments/small/dvc\.yaml:s2@plain-0' failed with exit code 2"):
        flow.experiment("small", root=experiment)
    assert journal(experiment) == ["fetch", "s1-plain-0", "s1-plain-1"]


def test_an_unknown_experiment_is_refused_with_the_names_that_exist(experiment):
    with pytest.raises(ValueError, match="has no experiment table9; it has small"):
        flow.experiment.fn("table9", root=experiment)


@pytest.mark.slow
def test_the_comparison_has_two_pages_and_both_are_artifacts(experiment, prefect_server):
    folder = experiment / "experiments/small"
    folder.rename(folder.with_name("comparison"))
    file = folder.with_name("comparison") / "dvc.yaml"
    file.write_text(file.read_text().replace("experiments/small", "experiments/comparison"))
    (experiment / "reports").mkdir(exist_ok=True)
    for page in ("table1", "table2"):
        (experiment / f"reports/{page}.md").write_text(f"# {page}\n")
    state = flow.experiment("comparison", root=experiment, return_state=True)
    assert "experiments/comparison/dvc.yaml:s1@plain-0" in outcomes(state.result())
    artifacts = artifacts_of(state)
    assert (artifacts["table1"], artifacts["table2"]) == ("# table1\n", "# table2\n")


def test_every_experiment_has_a_deployment_that_is_started_by_hand():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    mine = [each for each in deployments if each["entrypoint"] == "pipelines.flows.experiment.experiment"]
    assert all(each["schedules"] == [] and each["parameters"] == {"name": each["name"]} for each in mine)
    assert {each["name"] for each in mine} == {path.parent.name for path in ROOT.glob("experiments/*/dvc.yaml")}


def test_the_command_line_takes_the_experiments_name(monkeypatch):
    started = []
    monkeypatch.setattr(flow, "experiment", started.append)
    monkeypatch.setattr(flow, "run_once", lambda run: run())
    monkeypatch.setattr(sys, "argv", ["experiment.py", "readings"])
    flow.main()
    assert started == ["readings"]
