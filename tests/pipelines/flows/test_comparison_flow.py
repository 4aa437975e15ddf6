"""The comparison's flow over a small project whose stages take milliseconds."""

from pathlib import Path

import pytest
import yaml

from pipelines.flows import comparison
from tests.pipelines.flows import artifacts_of, outcomes

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_every_network_is_a_task_and_both_tables_are_artifacts(experiment, prefect_server):
    folder = experiment / "experiments/small"
    folder.rename(folder.with_name("comparison"))
    file = folder.with_name("comparison") / "dvc.yaml"
    file.write_text(file.read_text().replace("experiments/small", "experiments/comparison"))
    for name in comparison.PAGES:
        (experiment / "reports").mkdir(exist_ok=True)
        (experiment / f"reports/{name}.md").write_text(f"# {name}\n")
    state = comparison.comparison(root=experiment, return_state=True)
    assert "experiments/comparison/dvc.yaml:s1@plain-0" in outcomes(state.result())
    artifacts = artifacts_of(state)
    assert (artifacts["table1"], artifacts["table2"]) == ("# table1\n", "# table2\n")


def test_the_deployment_is_started_by_hand():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (mine,) = (each for each in deployments if each["entrypoint"] == "pipelines/flows/comparison.py:comparison")
    assert mine["schedules"] == []
