"""From data sets as they lie on disk to a folder of scenes."""

from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from sftdec.datasets import folder, sample
from sftdec.datasets.errors import DataError
from sftdec.datasets.recipes import SPLITS
from sftdec.datasets.scene import write_index, write_scene
from sftdec.params import FetchParams


def _importer(name: str) -> Any:
    """The module that reads a data set: one of its own, or the one for any folder of triplets."""
    return {"sample": sample}.get(name, folder)


def _write(importer: Any, item: Any, sigma_max: float, out: Path) -> dict[str, Any]:
    return write_scene(out, importer.render(item, sigma_max))


def fetch(params: FetchParams, data: Path, out: Path) -> pd.DataFrame:
    """Bring each data set ``data/<name>`` into ``out`` as scenes; return their index, a row a scene.

    Raises:
        DataError: a data set that isn't there or can't be used.
    """
    jobs = []
    for name in params.datasets:
        if not (data / name).is_dir():
            there = (
                ", ".join(sorted(path.name for path in data.iterdir() if path.is_dir())) if data.is_dir() else "nothing"
            )
            raise DataError(f"{data / name}: there is no such data set (fetch.datasets); {data} holds: {there}")
        importer = _importer(name)
        jobs += [delayed(_write)(importer, item, params.sigma_max, out) for item in importer.scenes(data / name)]
    rows = Parallel(n_jobs=params.processes, return_as="generator")(jobs)
    index = write_index(out, list(tqdm(rows, total=len(jobs), desc="fetch", unit="scene", disable=None)))
    for split in SPLITS:
        if not (index["split"] == split).any():
            counts = index["split"].value_counts().to_dict()
            raise DataError(
                f"{data}: no photo is for {split} (found {counts}); bring more photos: the split goes by name"
            )
    return index
