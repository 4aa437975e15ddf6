"""``pairs.csv``: pairs of any layout, a row each; for everything that has no layout of its own."""

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from sftdec.datasets.importers.layouts import FOLDER
from sftdec.datasets.importers.pair import map_fault
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, composed, list_scenes, split_of
from sftdec.datasets.scene import Scene, Split
from sftdec.runtime import DataError

TABLE = "pairs.csv"
_COLUMNS = ("blurred", "sharp", "defocus", "photo", "split")
_SPLITS: dict[str, Split] = {**{split: split for split in get_args(Split)}, "val": "validation"}

ABOUT = About(
    name="pairs_csv",
    title="pairs that a table lists, wherever they lie",
    layout=(
        "pairs.csv   a line of names, then a pair a row: blurred,sharp,defocus,photo,split\n"
        "            blurred, sharp   paths from here\n"
        "            defocus          optional: grey, its full level is fetch.sigma_max px of sigma\n"
        "            photo            optional: what it was taken of, never in two splits\n"
        "            split            optional: train, validation (val) or test"
    ),
    licence="yours",
    page="",
    map_unit=None,
)


def recognises(folder: Path) -> bool:
    """Whether a folder has the table."""
    return (folder / TABLE).is_file()


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """The table's rows and their numbers, empty ones counted; each has every column, and what isn't given is empty."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            found = list(enumerate(csv.reader(lines, strict=True), start=1))
            (_, head), *rows = [(number, [cell.strip() for cell in row]) for number, row in found if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{table}: no table that can be read ({error}); write it as UTF-8, a pair a row") from error
    if not {"blurred", "sharp"} <= {*head} <= {*_COLUMNS} or len({*head}) < len(head):
        raise DataError(f"{table}: found the columns {', '.join(head)}, expected {', '.join(_COLUMNS)}, the first two")
    for number, row in rows:
        if len(row) != len(head):
            raise DataError(f"{table}: row {number} has {len(row)} cells, expected {len(head)}: quote commas in names")
    return [(number, dict.fromkeys(_COLUMNS, "") | dict(zip(head, row, strict=True))) for number, row in rows]


def _entry(folder: Path, number: int, row: dict[str, str], dataset: str) -> Entry | LeftOut:
    """The scene of a row, or why it makes none."""
    table, where = folder / TABLE, f"row {number}"
    files: list[Path] = []
    for column in ("blurred", "sharp", "defocus"):
        if not row[column]:
            if column == "defocus":
                continue
            return LeftOut(table, f"{where}: {column} is empty, expected a path")
        path = Path(os.path.normpath(folder / row[column]))
        if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):  # the folder may be "."
            return LeftOut(table, f"{where}: {row[column]} lies outside {folder}, where DVC doesn't see it: move it in")
        if not path.is_file():
            return LeftOut(table, f"{where}: there is no {row[column]} ({column})")
        files.append(path)
    if row["split"] and row["split"] not in _SPLITS:
        return LeftOut(table, f"{where}: split is {row['split']}, expected {', '.join(_SPLITS)}, or nothing")
    if len(files) > 2 and (fault := map_fault(files[0], files[2])):
        return LeftOut(files[0], *fault)
    name, sharp = (composed(path.relative_to(folder).with_suffix("").as_posix()) for path in files[:2])
    photo = composed(row["photo"]) or sharp
    split = _SPLITS[row["split"]] if row["split"] else split_of(photo)
    defocus = files[2] if len(files) > 2 else None
    return Entry(name, photo, split, files[0], files[1], defocus, (("dataset", dataset),))


def find(folder: Path) -> Listing:
    """The table's scenes, named by their blurred pictures' paths; what isn't said of a split, its photo's name draws.

    Raises:
        DataError: a table that can't be read, a photo in two splits, or no scene at all.
    """
    about = replace(ABOUT, name=Path(os.path.abspath(folder)).name)
    found = [_entry(folder, number, row, about.name) for number, row in _rows(folder / TABLE)]
    entries = [each for each in found if isinstance(each, Entry)]
    splits: dict[str, Split] = {}
    for entry in entries:
        other = splits.setdefault(entry.photo, entry.split)
        if other != entry.split:
            raise DataError(
                f"{folder / TABLE}: the photo {entry.photo} is in {other} and {entry.split}; give its rows one split"
            )
    if any(entry.defocus for entry in entries):
        about = replace(about, map_unit="px of sigma: full level is fetch.sigma_max; estimated where there is no map")
    return list_scenes(about, folder, entries, [each for each in found if isinstance(each, LeftOut)])


def read(entry: Any, sigma_max: float) -> Scene:
    """One scene, as of a folder of pairs."""
    return FOLDER.read(entry, sigma_max)
