"""The figures that papers print, of one model on one published data set; what was measured is remembered, and a run."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sftdec.evaluation import PROTOCOLS, measure_pair
from sftdec.experiments.grid.code import code_checksum
from sftdec.experiments.grid.data import pairs_digest
from sftdec.experiments.grid.store import cell_key
from sftdec.runtime import atomic_path, checksum

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

FOLDER = Path("build/published")


def measure_published(
    load: "Callable[[], tuple[AnyNetwork, str]]", model: str, weights: str, folder: Path, protocol: str, root: Path
) -> pd.DataFrame:
    """A row a pair of ``folder``, all of them: ``scene``, and the protocol's measures.

    ``load`` gives the network and its device; it is called only where something is to be measured. ``weights``: the
    SHA-256 of its file. Rows are kept below ``root`` under what decides them, so that a second call computes nothing.
    Measuring is a run in MLflow, under the name ``model``, where ``root`` is a project or a store is named.

    Raises:
        DataError: a folder without pairs, or a pair that can't be measured.
    """
    from sftdec.datasets import find_pairs

    pairs = find_pairs(folder)
    code = [code_checksum("peer"), code_checksum("sft_dec"), checksum(Path(__file__))]
    deciding = {"model": weights, "pictures": pairs_digest(pairs), "protocol": protocol, "code": " ".join(code)}
    key = cell_key(deciding)
    kept = root / FOLDER / f"{key}.csv"
    if kept.is_file():
        return pd.read_csv(kept, dtype={"scene": str})
    from tqdm import tqdm

    from sftdec.inference import deblur_array

    (network, device), began = load(), int(time.time() * 1000)

    def restore(blurred: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> np.ndarray:
        return deblur_array(network, blurred, device)[0]

    bar = tqdm(pairs, desc="evaluate", unit="photo", disable=None)
    table = pd.DataFrame([measure_pair(PROTOCOLS[protocol], pair, restore) for pair in bar]).round(6)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(kept) as temporary:
        table.to_csv(temporary, index=False)
    if "MLFLOW_TRACKING_URI" in os.environ or (root / "dvc.yaml").is_file():
        from sftdec.tracking import CellRun, CellRuns, now_ms

        run = CellRun(
            key=key,
            name=f"{model} × {folder.name}, {protocol}",
            began=began,
            ended=now_ms(),
            params={"model": model, "dataset": folder.name, "protocol": protocol, "device": device},
            tags={f"hash.{what}": value for what, value in deciding.items() if what != "protocol"},
            metrics={str(name): float(mean) for name, mean in table.mean(numeric_only=True).items()},
            dataset=(folder.name, folder, deciding["pictures"], len(table)),
            table=kept,
        )
        runs = CellRuns(root)
        runs.add(run)
        runs.finish()
    return table
