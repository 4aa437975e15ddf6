"""An experiment's flow over a small project with a matrix whose stages take milliseconds."""

import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml

from pipelines.dvc.stages import StageFailed, run_dvc
from pipelines.flows import experiment as flow
from pipelines.flows.alarms import FLOWS
from sftdec.lineage import stage_order
from tests.pipelines.flows import journal, outcomes, page_of

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
    assert page_of(state).endswith((experiment / "reports/small.md").read_text())
    assert f"| {FILE}:s2@dec-1 | ran |" in page_of(state)

    (experiment / "journal.txt").unlink()
    again = flow.experiment("small", root=experiment, return_state=True)
    assert set(outcomes(again.result()).values()) == {"unchanged"} and journal(experiment) == []
    assert "Nothing changed" in page_of(again)

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
def test_the_comparison_has_two_tables_and_shows_both(experiment, prefect_server):
    folder = experiment / "experiments/small"
    folder.rename(folder.with_name("comparison"))
    file = folder.with_name("comparison") / "dvc.yaml"
    file.write_text(file.read_text().replace("experiments/small", "experiments/comparison"))
    (experiment / "reports").mkdir(exist_ok=True)
    for page in ("table1", "table2"):
        (experiment / f"reports/{page}.md").write_text(f"# {page}\n")
    state = flow.experiment("comparison", root=experiment, return_state=True)
    assert "experiments/comparison/dvc.yaml:s1@plain-0" in outcomes(state.result())
    assert page_of(state).endswith("\n\n# table1\n\n\n# table2\n")


def test_every_flow_has_one_deployment_of_its_name_and_none_a_limit_whose_slot_a_power_cut_could_keep():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows = {each["name"]: resolve_name(each["entrypoint"]).name for each in deployments}
    assert flows == {name: name for name in FLOWS}
    assert not any("concurrency_limit" in each for each in deployments)


def test_the_command_line_takes_the_experiments_name(monkeypatch):
    started = []
    monkeypatch.setattr(flow, "experiment", started.append)
    monkeypatch.setattr(flow, "run_once", lambda run: run())
    monkeypatch.setattr(sys, "argv", ["experiment.py", "readings"])
    flow.main()
    assert started == ["readings"]
