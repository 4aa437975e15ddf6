"""Training one cell of an experiment and judging what came out."""

import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from sftdec.evaluation import write_per_image
from sftdec.experiments.definition import Cell
from sftdec.experiments.judging import judge, measure_network
from sftdec.networks import save_weights
from sftdec.params import Params
from sftdec.runtime import choose_device
from sftdec.training import STAGES, Report, train_sft_dec, write_curve


def train_cell(
    cell: Cell,
    params: Params,
    out: Path,
    checkpoints: Path,
    start: Cell,
    report: Report = lambda step, metrics: None,
) -> pd.DataFrame:
    """Train one cell on its fold's scenes and patches, and judge its weights on the photos that it didn't see.

    ``report`` is told how the training goes; what comes back is the judgement, a row a picture, with
    the kind of machine that trained it.

    ``start`` is the variant and fold whose weights of the stage before are gone on from; its files, the cell's
    and the folds lie below ``out``.
    """
    data = cell.data(out)
    with tempfile.TemporaryDirectory() as folder:  # where a training finds scenes, patches and weights beside another
        own = Path(folder)
        for part in ("scenes", "patches"):
            (own / part).symlink_to((data / part).resolve())
        (own / "models").symlink_to(start.weights(out).parent.resolve())
        network, curve, saved = train_sft_dec(STAGES[cell.stage], params, own, checkpoints, report)
    save_weights(network, cell.weights(out))
    write_curve(cell.curve(out), curve)
    device = str(choose_device(params.evaluate.device))
    trained_on = choose_device(params.train.common.device)
    machine = torch.cuda.get_device_name(trained_on) if trained_on.type == "cuda" else "CPU"
    judged = judge(partial(measure_network, network, device=device), [data / "scenes"], "test").assign(machine=machine)
    write_per_image(cell.per_image(out), judged)
    saved.finish(cell.weights(out))
    return judged
