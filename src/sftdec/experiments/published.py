"""The figures that papers print, of one model on one published data set; what was measured is remembered, and a run."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sftdec.evaluation import PROTOCOLS, measure_pair, perceptual_packages
from sftdec.experiments.grid.code import code_checksum
from sftdec.experiments.grid.data import pairs_digest
from sftdec.experiments.store import CellStore, means_of
from sftdec.runtime import checksum
from sftdec.tracking import CellRuns

if TYPE_CHECKING:
    from sftdec.datasets import Entry
    from sftdec.peers import AnyNetwork

FOLDER = Path("build/published")
MEASURING = ("sftdec.datasets.pairs", "sftdec.evaluation.protocols", "sftdec.inference.deblur")


def measure_published(
    load: "Callable[[], AnyNetwork]", device: str, model: str, weights: str, folder: Path, protocol: str, root: Path
) -> pd.DataFrame:
    """A row a pair of ``folder``, all of them: ``scene``, and the protocol's measures.

    ``load`` gives the network on ``device``; it is called only where something is to be measured. ``weights``: the
    SHA-256 of its file. Rows are kept below ``root`` under what decides them, so that a second call computes nothing.
    Measuring is a run in MLflow, under the name ``model``, where ``root`` is a project or a store is named.

    Raises:
        DataError: a folder without pairs, or a pair that can't be measured.
    """
    from sftdec.datasets import find_pairs

    pairs = find_pairs(folder)
    code = [code_checksum("peer", None, MEASURING), code_checksum("sft_dec", None, MEASURING)]
    code += [checksum(Path(__file__)), *perceptual_packages()]
    deciding = {"model": weights, "pictures": pairs_digest(pairs), "protocol": protocol, "code": " ".join(code)}
    store = CellStore(root / FOLDER, means_of)
    cell = store.judged(deciding, lambda: _measured(load(), device, pairs, protocol), device)
    if "MLFLOW_TRACKING_URI" in os.environ or (root / "dvc.yaml").is_file():
        shown = {"model": model, "dataset": folder.name, "protocol": protocol}
        tags = {f"hash.{what}": deciding[what] for what in ("model", "pictures", "code")}
        runs = CellRuns(root)
        dataset = (folder.name, folder, deciding["pictures"], len(pairs))
        runs.add(cell.run(f"{model} × {folder.name}, {protocol}", shown, tags, dataset))
        runs.finish()
    return pd.read_parquet(cell.table)


def _measured(network: "AnyNetwork", device: str, pairs: "Sequence[Entry]", protocol: str) -> pd.DataFrame:
    from tqdm import tqdm

    from sftdec.inference import deblur_array

    def restore(blurred: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> np.ndarray:
        return deblur_array(network, blurred, device)[0]

    bar = tqdm(pairs, desc="evaluate", unit="photo", disable=None)
    return pd.DataFrame([measure_pair(PROTOCOLS[protocol], pair, restore) for pair in bar]).round(6)
