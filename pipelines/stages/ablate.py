"""DVC stages of an experiment's cells: patches, and the stage before's weights → weights, judged a row a photo."""

import argparse
from dataclasses import replace
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.experiments import BUDGETS, Cell, cell_params, load_experiment, train_cell
from sftdec.training import STAGES

BUILD, CHECKPOINTS = Path("build"), Path(".checkpoints")


def main() -> None:
    """Train and judge the cell that the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a folder of experiments/, such as table3")
    parser.add_argument("variant", help="one of its params.yaml")
    parser.add_argument("stage", choices=sorted(STAGES))
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--budget", choices=BUDGETS, default="equal_steps")
    parser.add_argument("--start", metavar="VARIANT", help="go on from another variant's weights of the stage before")
    given = parser.parse_args()
    experiment = load_experiment(Path("experiments") / given.experiment / "params.yaml")
    cell = Cell(given.variant, given.stage, given.seed, given.budget)
    params = cell_params(Path("params.yaml"), experiment, cell)
    print(f"{cell.budget}, {cell.variant}, seed {cell.seed}, {cell.stage}: {experiment.steps_of(cell)} steps")
    start = replace(cell, variant=given.start or cell.variant)
    train_cell(cell, params, experiment, BUILD, BUILD / given.experiment, CHECKPOINTS, start)


if __name__ == "__main__":
    run_stage(main)
