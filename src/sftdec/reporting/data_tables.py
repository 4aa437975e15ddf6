"""What the pages say of the data: scenes by split and size, patches by data set, a few scenes small."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.evaluation import Picture
from sftdec.photos import read_defocus, read_photo
from sftdec.reporting.data_figures import coloured, mean_sigma, thumbnail
from sftdec.runtime import DataError

SPLITS = ("train", "validation", "test")
SIZES = 8  # rows of the table of sizes


class Triple(NamedTuple):
    """A scene for a contact sheet: its row of the index and three thumbnails, uint8 h×w×3."""

    row: dict[str, Any]
    blurred: Picture
    sharp: Picture
    defocus: Picture


def read_patches(path: Path) -> pd.DataFrame:
    """The index of the patches, a row a patch.

    Raises:
        DataError: it is missing, empty, can't be read or lacks a column.
    """
    if not path.exists():
        raise DataError(f"{path}: there are no patches yet; run the stage before: dvc repro patches")
    table = with_columns(
        path, read_table(path, "patches"), ["scene", "dataset", "sigma_mean", "sharpness", "brightness"]
    )
    if table.empty:
        raise DataError(f"{path}: the index holds no patch; run dvc repro -f patches")
    return table


def read_table(path: Path, stage: str) -> pd.DataFrame:
    """A Parquet file that ``stage`` makes.

    Raises:
        DataError: it can't be read.
    """
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a table that can be read ({error}); run dvc repro -f {stage}") from error


def with_columns(path: Path, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table, read from ``path``, if it has these columns.

    Raises:
        DataError: it lacks one.
    """
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; found {', '.join(map(str, table.columns)) or 'nothing'}")
    return table


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, whose keys are text."""
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def row_of(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What the split table says of some scenes; a measure that no check took is None."""

    def measured(column: str) -> "pd.Series[float]":
        return pd.to_numeric(rows[column], errors="coerce").dropna() if column in rows else pd.Series(dtype=float)

    shift, sharpening = measured("shift"), measured("sharpening")
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


def read_triple(scenes: Path, row: dict[str, Any], side: int) -> Triple:
    """A scene of an index, its pictures at most ``side`` px wide.

    Raises:
        DataError: one of them can't be read.
    """
    defocus = coloured(read_defocus(scenes / row["defocus"]))
    pictures = (read_photo(scenes / row["blurred"]), read_photo(scenes / row["sharp"]), defocus)
    return Triple(row, *(thumbnail(picture, side) for picture in pictures))
