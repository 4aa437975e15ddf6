"""An experiment of experiments/ as a Prefect flow: a task a training, its page as an artifact.

`python -m pipelines.flows.ablation [table3 | readings]` runs it without a server; `prefect deploy --all` deploys it,
to be started by hand. What has to run is DVC's decision: `dvc repro experiments/NAME/dvc.yaml` leaves the same
files.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # as a script it doesn't find its package
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect reads these once, while it is imported
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow

from pipelines.dvc import StageResult
from pipelines.flows.experiment import bring_up_to_date
from pipelines.flows.tasks import run_once


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
    return bring_up_to_date(experiment, root, [experiment])


def main() -> None:
    """Runs the flow once."""
    parser = argparse.ArgumentParser(description="Bring an experiment up to date as a Prefect flow.")
    parser.add_argument("experiment", nargs="?", default="table3", help="a folder of experiments/")
    experiment = parser.parse_args().experiment
    run_once(lambda: ablation(experiment))


if __name__ == "__main__":
    main()
