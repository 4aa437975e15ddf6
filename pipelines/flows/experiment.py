"""An experiment of experiments/ as a Prefect flow: a task a training, its pages as artifacts.

`python -m pipelines.flows.experiment NAME` runs it without a server; `pipelines.flows.deploy` deploys it, to be started
by hand. What has to run is DVC's decision: `dvc repro experiments/NAME/dvc.yaml` leaves the same files.
"""

import argparse
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger

from pipelines.dvc import StageResult, show_experiment, up_to_date
from pipelines.flows.alarms import HOOKS
from pipelines.flows.artifacts import publish, summary
from pipelines.flows.tasks import ROOT, run_in_turn, run_named, run_once
from pipelines.flows.turns import in_turn
from sftdec.lineage import DATA_FILE, stage_order

PAGES = {"comparison": ("table1", "table2")}  # in reports/; any other experiment has one of its own name


@flow(name="experiment", flow_run_name="{name}", **HOOKS)
def experiment(name: str, root: Path | None = None) -> list[StageResult] | State[Any]:
    """Brings an experiment up to date, with the stages of the main pipeline that it reads from; publishes its pages.

    Args:
        name: a folder of experiments/.
        root: the DVC project; the checkout that this file lies in if left out.

    Returns:
        How each stage went; a cancelled state if another experiment is at work, and this one was scheduled.

    Raises:
        ValueError: there is no such experiment.
        StageFailed: a stage failed; those after it don't run. Those that ran are kept.
    """
    root = (root or ROOT).resolve()
    show_experiment(root, name)
    return in_turn(root, "experiments", lambda _: _experiment(name, root))


def _experiment(name: str, root: Path) -> list[StageResult]:
    """The flow, once no other experiment is at work."""
    log = get_run_logger()
    if (root / DATA_FILE).is_file():
        run_named(DATA_FILE, root)
    stages = stage_order(root, f"experiments/{name}/dvc.yaml")
    if up_to_date(stages, root, log.info):
        log.info("Nothing changed: %s, %d stages", name, len(stages))
        results = [StageResult(stage, "unchanged", 0.0) for stage in stages]
    else:
        results = run_in_turn(stages, root)
    pages = [root / "reports" / f"{page}.md" for page in PAGES.get(name, (name,))]
    tables = [page.read_text("utf-8") for page in pages if page.is_file()]
    publish("experiment", f"What {name} did, and what came of it", [summary(results), *tables])
    return results


def main() -> None:
    """Runs the flow once."""
    parser = argparse.ArgumentParser(description="Bring an experiment up to date as a Prefect flow.")
    parser.add_argument("name", help="a folder of experiments/: table3, readings or comparison")
    name = parser.parse_args().name
    run_once(lambda: experiment(name))


if __name__ == "__main__":
    main()
