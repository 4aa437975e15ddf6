"""Real pairs, blurred and sharp, without a defocus map: what each method makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.datasets import Scene
from sftdec.photos import read_photo
from sftdec.runtime import DataError

MEASURES = ["psnr", "psnr_blurred", "ssim", "ssim_blurred"]
COLUMNS = ["dataset", "scene", "photo", "model", "budget", *MEASURES, "weights", "pictures"]


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Blurred and sharp file of each pair of a folder, FOLDER/input/*.png with FOLDER/ground_truth/*.png.

    An input belongs to the sharp picture with whose name its own begins, the longest such; one that has none is no
    pair.

    Raises:
        DataError: the folder has no pair.
    """
    sharp = {path.stem: path for path in sorted((folder / "ground_truth").glob("*.png"))}
    pairs = []
    for path in sorted((folder / "input").glob("*.png")):
        if named := [stem for stem in sharp if path.stem.startswith(stem)]:
            pairs.append((path, sharp[max(named, key=len)]))
    if not pairs:
        raise DataError(f"{folder}: found no pair; expected input/*.png and ground_truth/*.png")
    return pairs


def pair_scenes(name: str, folder: Path) -> Iterator[Scene]:
    """The pairs of a folder (``find_pairs``) as scenes of the data set ``name``.

    Their maps are 0 throughout, since nobody knows them: a map's errors mean nothing here.

    Raises:
        DataError: the folder has no pair, or two pictures of a pair differ in size.
    """
    for blurred, sharp in find_pairs(folder):
        truth = read_photo(sharp)
        unknown = np.zeros(truth.shape[:2], np.float32)
        yield Scene(blurred.stem, name, "test", sharp.stem, 1.0, read_photo(blurred), truth, unknown)


def named_rows(
    table: pd.DataFrame, photos: dict[str, str], model: str, budget: str, weights: str, pictures: str
) -> pd.DataFrame:
    """``COLUMNS`` of what ``evaluate_network`` says of a folder's scenes.

    ``photos``: the sharp picture of each; ``pictures``: the digest of all the folder's pairs.
    """
    named = table.assign(photo=table["scene"].map(photos), model=model, budget=budget)
    return named.assign(weights=weights, pictures=pictures)[COLUMNS]


def with_rows(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with a data set's rows of a model and budget put in the place of the ones it had.

    Whatever it had of other pictures of this data set goes, whosever it is: figures of two sets don't compare.
    """
    if table.empty:
        return rows.reset_index(drop=True)
    key = ["dataset", "model", "budget"]
    new, pictures = set(rows[key].itertuples(index=False, name=None)), dict(rows[["dataset", "pictures"]].to_numpy())
    replaced = np.array([each in new for each in table[key].itertuples(index=False, name=None)])
    others = table["pictures"] != table["dataset"].map(pictures).fillna(table["pictures"])
    return pd.concat([table[~(others | replaced)], rows], ignore_index=True)


def of_newest_pictures(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that each data set has of its newest pictures, those of its last row."""
    return table[table["pictures"] == table.groupby("dataset")["pictures"].transform("last")]


def has_rows(table: pd.DataFrame, dataset: str, model: str, budget: str, weights: str, pictures: str) -> bool:
    """Whether the table has figures of a model with these very weights on these very pictures."""
    wanted = {"dataset": dataset, "model": model, "budget": budget, "weights": weights, "pictures": pictures}
    return bool((table[list(wanted)] == list(wanted.values())).all(axis="columns").any())


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
