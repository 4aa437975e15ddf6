"""DVC stages of an experiment's cells: patches, and the stage before's weights → weights, judged a row a picture."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.evaluation import MEASURES
from sftdec.experiments import Cell, cell_params, check_cells, load_experiment, train_cell
from sftdec.tracking import track_stage
from sftdec.training import STAGES

BUILD, CHECKPOINTS, PARAMS = Path("build"), Path(".checkpoints"), Path("params.yaml")


def main() -> None:
    """Train and judge the cell that the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a folder of experiments/, such as table3")
    parser.add_argument("variant", help="one of its params.yaml")
    parser.add_argument("stage", choices=sorted(STAGES))
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--start", metavar="VARIANT", help="go on from another variant's weights of the stage before")
    given = parser.parse_args()
    experiment = load_experiment(Path("experiments") / given.experiment / "params.yaml")
    cell = Cell(given.variant, given.stage, given.fold)
    params = cell_params(PARAMS, experiment, cell)
    check_cells(PARAMS, experiment)
    print(f"{cell.variant}, fold {cell.fold}, {cell.stage}: {experiment.steps_of(cell)} steps")
    start, out = replace(cell, variant=given.start or cell.variant), BUILD / given.experiment
    name = f"{cell.variant} {cell.stage} fold {cell.fold}"
    reads = [cell.data(out) / "scenes", cell.data(out) / "patches"]
    shown = {**asdict(cell), "steps": experiment.steps_of(cell), **experiment.variants[cell.variant]}
    with track_stage(name, Path.cwd(), reads, shown, experiment=f"sft-dec-{given.experiment}") as tracker:
        told = (cell, params, out, CHECKPOINTS, start)
        judged = train_cell(*told, lambda step, metrics: tracker.metrics(metrics, step))
        tracker.log_means(judged, ["dataset"], MEASURES)
        tracker.artifact(cell.per_image(out))
        tracker.writes([cell.weights(out)])


if __name__ == "__main__":
    run_stage(main)
