"""DVC stages table3 and readings: an experiment's per-image tables → build/tables/NAME, with copies in reports/."""

import argparse
from pathlib import Path

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import publish
from sftdec.experiments import load_experiment, write_cells


def main() -> None:
    """Compare the cells that there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=("table3", "readings"))
    name = parser.parse_args().experiment
    build = Path("build", name)
    experiment = load_experiment(Path("experiments", name, "params.yaml"))
    publish(name, write_cells(name, experiment, build, Path("build/tables", name)))


if __name__ == "__main__":
    run_stage(main)
