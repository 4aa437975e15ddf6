"""Training one cell of an experiment and judging what came out."""

import tempfile
from pathlib import Path

import pandas as pd

from sftdec.datasets import load_scenes, read_index
from sftdec.evaluation import evaluate_network, write_per_image
from sftdec.experiments.definition import Cell, Experiment
from sftdec.networks import SFTDec, save_weights
from sftdec.params import Params
from sftdec.runtime import choose_device
from sftdec.training import STAGES, Report, train_sft_dec, write_curve


def train_cell(
    cell: Cell,
    params: Params,
    experiment: Experiment,
    build: Path,
    out: Path,
    checkpoints: Path,
    start: Cell,
    report: Report = lambda step, metrics: None,
) -> pd.DataFrame:
    """Train one cell on ``build/scenes`` and ``build/patches`` and judge its weights on the experiment's splits.

    ``report`` is told how the training goes; what comes back is the judgement, a row a photo.

    ``start`` is the variant, seed and budget whose weights of the stage before are gone on from; its files and the
    cell's lie below ``out``.
    """
    with tempfile.TemporaryDirectory() as folder:  # where a training finds scenes, patches and weights beside another
        own = Path(folder)
        for part in ("scenes", "patches"):
            (own / part).symlink_to((build / part).resolve())
        (own / "models").symlink_to(start.weights(out).parent.resolve())
        network, curve, saved = train_sft_dec(STAGES[cell.stage], params, own, checkpoints, report)
    save_weights(network, cell.weights(out))
    write_curve(cell.curve(out), curve)
    judged = _per_image(network, params, experiment, build)
    write_per_image(cell.per_image(out), judged)
    saved.clear()
    return judged


def _per_image(network: SFTDec, params: Params, experiment: Experiment, build: Path) -> pd.DataFrame:
    """A row a photo of the experiment's splits, guided by the network's own map: ``evaluate.COLUMNS``, split, photo."""
    device = choose_device(params.evaluate.device)
    network = network.to(device)
    photos = read_index(build / "scenes")[["dataset", "scene", "photo", "split"]]
    tables = [
        evaluate_network(network, load_scenes(build / "scenes", split), str(device)) for split in experiment.splits
    ]
    return pd.concat(tables, ignore_index=True).merge(photos, on=["dataset", "scene"], validate="one_to_one")
