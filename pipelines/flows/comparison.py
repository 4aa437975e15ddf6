"""Tables 1 and 2 as a Prefect flow: a task a network's training, the tables as artifacts.

`python pipelines/flows/comparison.py` runs it without a server; `prefect deploy --all` makes a deployment of it that is
started by hand. What has to run is DVC's decision: `dvc repro experiments/comparison/dvc.yaml` leaves the same files.
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

PAGES = ("table1", "table2")


@flow(name="comparison")
def comparison(root: Path | None = None) -> list[StageResult]:
    """Trains and judges what has to be of all networks compared, and publishes both tables.

    Args:
        root: the DVC project; the checkout that this file lies in if left out.

    Raises:
        StageFailed: a stage failed; those after it don't run. Those that ran are kept.
    """
    return bring_up_to_date("comparison", root, PAGES)


def main() -> None:
    """Runs the flow once."""
    argparse.ArgumentParser(description="Bring tables 1 and 2 up to date as a Prefect flow.").parse_args()
    run_once(comparison)


if __name__ == "__main__":
    main()
