"""What the page counts of the data: scenes by split and size, patches by data set, what was refused and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sftdec.reporting.data_figures import mean_sigma
from sftdec.runtime import DataError

SPLITS = ("train", "validation", "test")
SIZES = 8  # rows of the table of sizes
LISTED = 100  # refused scenes of one check that are named
REASON = 400  # letters of a reason
RENDERED = "sample"  # the data set whose pairs are rendered here
CHECKS = {  # what a picture that failed one is
    "unreadable": "can’t be read",
    "size": "of unequal size",
    "pair": "without a partner",
    "aligned": "not aligned",
    "light": "another light",
    "sharper": "not sharper",
    "map": "with an impossible map",
    "duplicate": "in two splits",
}


def read_columns(path: Path, columns: Sequence[str], stage: str) -> pd.DataFrame:
    """A Parquet file that ``stage`` makes, with at least these columns.

    Raises:
        DataError: it is missing, can't be read or lacks a column.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file yet; run the stage that makes it: dvc repro {stage}")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a table that can be read ({error}); run dvc repro -f {stage}") from error
    if missing := [column for column in columns if column not in table]:
        raise DataError(f"{path}: lacks {', '.join(missing)}; found {', '.join(map(str, table.columns)) or 'nothing'}")
    return table


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, whose keys are text."""
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def row_of(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What the split table says of some scenes; a measure that no check took is None, as is a rendered pair's shift.

    What is rendered lies where it was; only the blur of depth edges moves what windows see of it.
    """

    def measured(column: str, of: pd.DataFrame) -> "pd.Series[float]":
        return pd.to_numeric(of[column], errors="coerce").dropna() if column in of else pd.Series(dtype=float)

    shift, sharpening = measured("shift", rows[rows["dataset"] != RENDERED]), measured("sharpening", rows)
    return {
        "name": name,
        "scenes": len(rows),
        "photos": len(rows[["dataset", "photo"]].drop_duplicates()),
        "pixels": int((rows["height"] * rows["width"]).sum()),
        "sigma_mean": mean_sigma(rows),
        "sigma_peak": float(rows["sigma_peak"].max()),
        "shift": float(shift.max()) if len(shift) else None,
        "sharpening": float(sharpening.min()) if len(sharpening) else None,
    }


def split_table(index: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Per data set a row for each split that it has, and one for all where it has several."""
    table = []
    for dataset, rows in index.groupby("dataset", sort=True):
        lines = [row_of(split, rows[rows["split"] == split]) for split in SPLITS if (rows["split"] == split).any()]
        table.append((str(dataset), [*lines, row_of("all", rows)] if len(lines) > 1 else lines))
    return table


def size_table(index: pd.DataFrame) -> list[dict[str, Any]]:
    """How many scenes have which size, the most frequent first; the rest in one row."""
    counts = index.groupby(["width", "height"]).size().reset_index(name="scenes")
    counts = counts.sort_values(["scenes", "width", "height"], ascending=[False, True, True])
    rows = [
        {"name": f"{width} × {height}", "scenes": scenes}
        for width, height, scenes in counts.head(SIZES).itertuples(index=False)
    ]
    rest = counts.iloc[SIZES:]
    if len(rest):
        rows.append({"name": f"{len(rest)} other sizes", "scenes": int(rest["scenes"].sum())})
    largest = max(row["scenes"] for row in rows)
    return [{**row, "bar": row["scenes"] / largest * 100} for row in rows]


def patch_table(kept: pd.DataFrame, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Per data set: patches, the scenes that they are of, and their means; one without patches says 0."""
    table = []
    for dataset in sorted({*datasets, *kept["dataset"]}):
        rows = kept[kept["dataset"] == dataset]
        means = {key: float(rows[key].mean()) for key in ("sigma_mean", "sharpness", "brightness")} if len(rows) else {}
        table.append({"name": dataset, "patches": len(rows), "scenes": rows["scene"].nunique(), **means})
    return table


def refused_by_check(refused: pd.DataFrame) -> list[tuple[str, int, list[dict[str, str]]]]:
    """Per check, the most frequent first: what its scenes are, how many it refused, and the first 100 of them.

    ``refused`` has a row a refusal: dataset, scene, check, reason.
    """
    groups = [(str(check), rows) for check, rows in refused.groupby("check", sort=True, dropna=False)]
    groups.sort(key=lambda group: -len(group[1]))
    return [
        (CHECKS.get(check, check), len(rows), [_refusal(row) for row in records(rows.head(LISTED))])
        for check, rows in groups
    ]


def _refusal(row: dict[str, Any]) -> dict[str, str]:
    """A refused scene's name, its data set's before it unless it begins so, and the reason, cut if it is very long."""
    dataset, scene, reason = str(row["dataset"]), str(row["scene"]), str(row["reason"])
    name = scene if scene.startswith(f"{dataset}/") else f"{dataset}: {scene}"
    return {"name": name, "reason": reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"}
