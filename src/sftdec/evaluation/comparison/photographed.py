"""Real pairs, blurred and sharp, without a defocus map: what each method makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.datasets.errors import DataError
from sftdec.datasets.images import read_photo
from sftdec.datasets.scene import Scene

MEASURES = ["psnr", "psnr_blurred", "ssim", "ssim_blurred"]
COLUMNS = ["dataset", "scene", "photo", "model", "budget", *MEASURES, "weights"]


def pair_scenes(name: str, folder: Path) -> Iterator[Scene]:
    """The pairs of a folder, FOLDER/input/*.png with FOLDER/ground_truth/*.png, as scenes of the data set ``name``.

    An input belongs to the sharp picture with whose name its own begins, the longest such. The scenes' maps are 0
    throughout, since nobody knows them: a map's errors mean nothing here.

    Raises:
        DataError: the folder has no pair, or two pictures of a pair differ in size.
    """
    sharp = {path.stem: path for path in sorted((folder / "ground_truth").glob("*.png"))}
    found = False
    for path in sorted((folder / "input").glob("*.png")):
        named = [stem for stem in sharp if path.stem.startswith(stem)]
        if not named:
            continue
        photo, found = max(named, key=len), True
        truth = read_photo(sharp[photo])
        unknown = np.zeros(truth.shape[:2], np.float32)
        yield Scene(path.stem, name, "test", photo, 1.0, read_photo(path), truth, unknown)
    if not found:
        raise DataError(f"{folder}: found no pair; expected input/*.png and ground_truth/*.png")


def named_rows(table: pd.DataFrame, photos: dict[str, str], model: str, budget: str, weights: str) -> pd.DataFrame:
    """``COLUMNS`` of what ``evaluate_network`` says of a folder's scenes; ``photos``: the sharp picture of each."""
    named = table.assign(photo=table["scene"].map(photos), model=model, budget=budget, weights=weights)
    return named[COLUMNS]


def with_rows(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with a data set's rows of a model and budget put in the place of the ones it had."""
    key = ["dataset", "model", "budget"]
    new = set(rows[key].itertuples(index=False, name=None))
    kept = [each not in new for each in table[key].itertuples(index=False, name=None)]
    return pd.concat([table[kept], rows], ignore_index=True) if len(table) else rows.reset_index(drop=True)


def has_rows(table: pd.DataFrame, dataset: str, model: str, budget: str, weights: str) -> bool:
    """Whether the table has figures of a model with these very weights."""
    wanted = (dataset, model, budget, weights)
    return bool((table[["dataset", "model", "budget", "weights"]] == wanted).all(axis="columns").any())


def read_photographed(path: Path) -> pd.DataFrame:
    """The committed figures, ``COLUMNS``; an empty table where there is no file.

    Raises:
        DataError: a file that lacks a column.
    """
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(
        path, dtype={column: str for column in COLUMNS if column not in MEASURES}, keep_default_na=False
    )
    if missing := [column for column in COLUMNS if column not in table]:
        raise DataError(
            f"{path}: lacks {', '.join(missing)}; measure again with experiments/comparison/photographed.py"
        )
    return table[COLUMNS]
