"""DPDD, the Canon pictures: 500 real scenes, each taken with an open and then with a closed aperture.

The two shots of a scene have neighbouring numbers, the open one first in some scenes and last in others (in two
scenes a shot lies between), and no two files share a name. So pictures are paired by sorted order, as the authors' own
code does, and only while the numbers agree with it: one lost file would otherwise mispair all that follow.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import by_name, other_files, read_pair
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, pictures
from sftdec.datasets.scene import Scene, Split

ABOUT = About(
    name="dpdd",
    title="Dual-Pixel Defocus Deblurring, combined view (Abuolaim & Brown, ECCV 2020)",
    layout=(
        "{train,val,test}_c/source/*.png   blurred, 16 bit, 350 + 74 + 76\n"
        "{train,val,test}_c/target/*.png   sharp, the shot before or after\n"
        "or {train,val,test}/inputC/*.png and {train,val,test}/target/*.png\n"
        "or inputC/*.png and target/*.png, which is how the test part is also handed out"
    ),
    licence="none stated for the pictures (the authors' code is MIT); cite the paper, ask the authors",
    page="https://github.com/Abdullah-Abuolaim/defocus-deblurring-dual-pixel",
    map_unit=None,
)

_SPLITS: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}
_APART = 2  # how far the numbers of a scene's two shots are apart at most, over all 500 pairs of the authors' lists


def _parts(folder: Path) -> list[tuple[str, Split, Path, Path]]:
    """The parts that a folder has: prefix of its scenes' names, split, folder of the blurred and of the sharp."""
    layouts = [(part, folder / f"{part}_c" / "source", folder / f"{part}_c" / "target") for part in _SPLITS]
    layouts += [(part, folder / part / "inputC", folder / part / "target") for part in _SPLITS]
    layouts.append((folder.name if folder.name in _SPLITS else "test", folder / "inputC", folder / "target"))
    return [
        (f"{part}_", _SPLITS[part], blurred, sharp)
        for part, blurred, sharp in layouts
        if blurred.is_dir() and sharp.is_dir()
    ]


def recognises(folder: Path) -> bool:
    """Whether a folder has one of the layouts."""
    return bool(_parts(folder))


def find(folder: Path) -> Listing:
    """The pairs of each part, in the official splits.

    Raises:
        DataError: there is no pair.
    """
    candidates: list[Entry] = []
    left_out: list[LeftOut] = []
    for prefix, split, blurred, sharp in _parts(folder):
        matched, refused = _pairs(blurred, sharp)
        left_out += refused
        names = [prefix + source.stem for source, _ in matched]
        candidates += [Entry(name, name, split, *files) for name, files in zip(names, matched, strict=True)]
    return list_scenes(ABOUT, folder, candidates, left_out)


def read(entry: Any, sigma_max: float) -> Scene:
    """One pair, rounded to 8 bit, and the map estimated from it, in units of ``sigma_max`` px.

    Raises:
        DataError: a picture that can't be read, or sizes that differ.
    """
    return read_pair(ABOUT, entry, sigma_max)


def _pairs(blurred: Path, sharp: Path) -> tuple[list[tuple[Path, Path]], list[LeftOut]]:
    """The pairs of one part: by sorted order, or by name where a copy was renamed so that names are equal."""
    sources, targets = pictures(blurred), pictures(sharp)
    shared = {path.stem for path in sources} & {path.stem for path in targets}
    if 2 * len(shared) > min(len(sources), len(targets)):
        matched, left_out = by_name([blurred, sharp])
        return [(source, target) for _, (source, target) in matched], left_out
    left_out = other_files(blurred) + other_files(sharp)
    counts = f"{len(sources)} pictures in {blurred.name}/ and {len(targets)} in {sharp.name}/"
    strays = _first_strangers(sources, targets)
    if len(sources) == len(targets) and strays is None:
        return list(zip(sources, targets, strict=True)), left_out
    where = "" if strays is None else f", and by sorted order {strays[0].name} would meet {strays[1].name}"
    reason = (
        f"{counts}{where}: pairs are told by order alone, so none of this part can be trusted; "
        "bring back the file that is missing near there, or take its partner away"
    )
    return [], [*left_out, LeftOut(blurred.parent, f"{blurred.parent.name}/ as a whole: {reason}")]


def _first_strangers(sources: Sequence[Path], targets: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first pair by order whose names, with numbers of one camera, are too far apart; None if there is none."""
    for source, target in zip(sources, targets, strict=False):
        (series, number), (other_series, other_number) = _number(source), _number(target)
        if series == other_series and abs(number - other_number) > _APART:
            return source, target
    return None


def _number(path: Path) -> tuple[str, int]:
    """What stands before the last digits of a name, and those as a number; the name and 0 if it has none."""
    match = re.fullmatch(r"(.*?)(\d+)", path.stem)
    return (match[1], int(match[2])) if match else (path.stem, 0)
