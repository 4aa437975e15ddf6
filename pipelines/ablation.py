"""An experiment of experiments/ as a Prefect flow: a task a training, the comparison as an artifact.

`python pipelines/ablation.py [table3 | readings]` runs it without a server; `prefect deploy --all` makes a deployment
of it that is started by hand. What has to run is DVC's decision: `dvc repro experiments/NAME/dvc.yaml` leaves the same
files.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script it doesn't find its package
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect reads these once, while it is imported
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from pipelines.artifacts import publish_summary
from pipelines.dvc_stages import StageResult, stage_graph, stage_items, stage_order, up_to_date, with_makers
from pipelines.tasks import run_named, run_once
from sftdec.worktrees import DATA_FILE

MAIN = "dvc.yaml"


@flow(name="ablation")
def ablation(experiment: str = "table3", root: Path | None = None) -> list[StageResult]:
    """Brings an experiment up to date, with the stages of the main pipeline that it reads from, and publishes its page.

    Args:
        experiment: a folder of experiments/.
        root: the DVC project; the checkout that this file lies in if left out.

    Raises:
        ValueError: there is no such experiment.
        StageFailed: a stage failed; those after it don't run. Those that ran are kept.
    """
    root = (root or Path(__file__).parents[1]).resolve()
    known = sorted(path.parent.name for path in root.glob("experiments/*/dvc.yaml"))
    if experiment not in known:
        raise ValueError(f"{root / 'experiments'} has no experiment {experiment}; it has {', '.join(known) or 'none'}")
    log = get_run_logger()
    if (root / DATA_FILE).is_file():
        run_named(DATA_FILE, root)
    stages = _stages(root, f"experiments/{experiment}/dvc.yaml")
    if up_to_date(stages, root, log.info):
        log.info("Nothing changed: %s, %d stages", experiment, len(stages))
        results = [StageResult(stage, "unchanged", 0.0) for stage in stages]
    else:
        results = []
        for stage in stages:
            results.append(run_named(stage, root, after=results[-1] if results else None))
    page = root / "reports" / f"{experiment}.md"
    if page.is_file():
        create_markdown_artifact(
            page.read_text("utf-8"), key=experiment.replace("_", "-"), description=f"reports/{experiment}.md"
        )
    publish_summary(results)
    return results


def _stages(root: Path, file: str) -> list[str]:
    """The experiment's stages, a matrix item by item, after those of the main pipeline that make what they read."""
    graph, items = stage_graph(root, MAIN, file), stage_items(root, file, get_run_logger().debug)
    needed = with_makers((stage for stage in graph if stage.startswith(f"{file}:")), graph)
    return [item for stage in stage_order(root, MAIN, file) if stage in needed for item in items.get(stage, [stage])]


def main() -> None:
    """Runs the flow once."""
    parser = argparse.ArgumentParser(description="Bring an experiment up to date as a Prefect flow.")
    parser.add_argument("experiment", nargs="?", default="table3", help="a folder of experiments/")
    experiment = parser.parse_args().experiment
    run_once(lambda: ablation(experiment))


if __name__ == "__main__":
    main()
