"""An experiment of experiments/ as a Prefect flow: a task a training, its pages as artifacts.

`python -m pipelines.flows.experiment NAME` runs it without a server; `prefect deploy --all` deploys it, to be started
by hand. What has to run is DVC's decision: `dvc repro experiments/NAME/dvc.yaml` leaves the same files.
"""

import argparse
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from pipelines.dvc import StageResult, show_experiment, up_to_date
from pipelines.flows.artifacts import publish_summary
from pipelines.flows.tasks import ROOT, run_in_turn, run_named, run_once
from sftdec.lineage import DATA_FILE, stage_order

PAGES = {"comparison": ("table1", "table2")}  # in reports/; any other experiment has one of its own name


@flow(name="experiment")
def experiment(name: str, root: Path | None = None) -> list[StageResult]:
    """Brings an experiment up to date, with the stages of the main pipeline that it reads from; publishes its pages.

    Args:
        name: a folder of experiments/.
        root: the DVC project; the checkout that this file lies in if left out.

    Raises:
        ValueError: there is no such experiment.
        StageFailed: a stage failed; those after it don't run. Those that ran are kept.
    """
    root = (root or ROOT).resolve()
    show_experiment(root, name)
    log = get_run_logger()
    if (root / DATA_FILE).is_file():
        run_named(DATA_FILE, root)
    stages = stage_order(root, f"experiments/{name}/dvc.yaml")
    if up_to_date(stages, root, log.info):
        log.info("Nothing changed: %s, %d stages", name, len(stages))
        results = [StageResult(stage, "unchanged", 0.0) for stage in stages]
    else:
        results = run_in_turn(stages, root)
    for page in PAGES.get(name, (name,)):
        path = root / "reports" / f"{page}.md"
        if path.is_file():
            key = page.replace("_", "-")
            create_markdown_artifact(path.read_text("utf-8"), key=key, description=f"reports/{page}.md")
    publish_summary(results)
    return results


def main() -> None:
    """Runs the flow once."""
    parser = argparse.ArgumentParser(description="Bring an experiment up to date as a Prefect flow.")
    parser.add_argument("name", help="a folder of experiments/: table3, readings or comparison")
    name = parser.parse_args().name
    run_once(lambda: experiment(name))


if __name__ == "__main__":
    main()
