"""DVC stages of an experiment's cells: patches, and the stage before's weights → weights, judged a row a photo."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from sftdec.datasets import load_scenes, read_index
from sftdec.devices import choose_device
from sftdec.evaluation.evaluate import evaluate_network, write_per_image
from sftdec.experiments import BUDGETS, Cell, Experiment, cell_params, load_experiment
from sftdec.networks import SFTDec, save_weights
from sftdec.params import Params
from sftdec.training.run import run_training, write_curve
from sftdec.training.schedule import STAGES

BUILD, CHECKPOINTS = Path("build"), Path(".checkpoints")


def ablate(
    cell: Cell, params: Params, experiment: Experiment, build: Path, out: Path, checkpoints: Path, start: Cell
) -> None:
    """Train one cell on ``build/scenes`` and ``build/patches`` and judge its weights on the experiment's splits.

    ``start`` is the variant, seed and budget whose weights of the stage before are gone on from; its files and the
    cell's lie below ``out``.
    """
    with tempfile.TemporaryDirectory() as folder:  # where a training finds scenes, patches and weights beside another
        own = Path(folder)
        for part in ("scenes", "patches"):
            (own / part).symlink_to((build / part).resolve())
        (own / "models").symlink_to(start.weights(out).parent.resolve())
        network, curve, saved = run_training(STAGES[cell.stage], params, own, checkpoints)
    save_weights(network, cell.weights(out))
    write_curve(cell.curve(out), curve)
    write_per_image(cell.per_image(out), per_image(network, params, experiment, build))
    saved.clear()


def per_image(network: SFTDec, params: Params, experiment: Experiment, build: Path) -> pd.DataFrame:
    """A row a photo of the experiment's splits, guided by the network's own map: ``evaluate.COLUMNS``, split, photo."""
    device = choose_device(params.evaluate.device)
    network = network.to(device)
    photos = read_index(build / "scenes")[["dataset", "scene", "photo", "split"]]
    tables = [
        evaluate_network(network, load_scenes(build / "scenes", split), str(device)) for split in experiment.splits
    ]
    return pd.concat(tables, ignore_index=True).merge(photos, on=["dataset", "scene"], validate="one_to_one")


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
    ablate(cell, params, experiment, BUILD, BUILD / given.experiment, CHECKPOINTS, start)


if __name__ == "__main__":
    run_stage(main)
