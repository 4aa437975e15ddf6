"""Real pairs, blurred and sharp, without a defocus map: what each method makes of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.runtime import DataError

MEASURES = ["psnr", "psnr_blurred", "ssim", "ssim_blurred"]
COLUMNS = ["dataset", "scene", "photo", "model", "budget", *MEASURES, "weights", "pictures"]


def named_rows(
    table: pd.DataFrame, photos: dict[str, str], model: str, budget: str, weights: str, pictures: str
) -> pd.DataFrame:
    """``COLUMNS`` of what ``evaluate_network`` says of a folder's scenes.

    ``photos``: the sharp picture of each; ``pictures``: the digest of all the folder's pairs.
    """
    scenes = table["scene"].str.removeprefix(table["dataset"].iloc[0] + "/")
    named = table.assign(scene=scenes, photo=scenes.map(photos), model=model, budget=budget)
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
