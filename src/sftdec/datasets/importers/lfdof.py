"""LFDOF: light fields refocused to several apertures and distances, and an all-in-focus picture of each.

All refocused pictures of one light field are one photo, so that none of them is in two splits.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import by_name, other_files, read_pair
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, pictures, split_of
from sftdec.datasets.scene import Scene, Split

ABOUT = About(
    name="lfdof",
    title="Light Field Defocus, up to 15 blurred pictures of each sharp one (Ruan et al., IEEE TCI 2021)",
    layout=(
        "{train_data,test_data}/input/IMG_x/IMG_x_ap{1,2,3}_0{0..4}.png   blurred\n"
        "{train_data,test_data}/ground_truth/IMG_x.png                    sharp\n"
        "or without train_data/ and test_data/, or with all blurred pictures directly in input/"
    ),
    licence="none stated for the pictures; cite the paper, ask the authors",
    page="https://sweb.cityu.edu.hk/miullam/AIFNET/",
    map_unit=None,
)

_PARTS = ("train_data", "test_data", ".")
_REFOCUSED = re.compile(r"(?P<photo>.+)_ap\d+_\d+")


def _parts(folder: Path) -> list[Path]:
    parts = [folder / part for part in _PARTS]
    return [part for part in parts if (part / "input").is_dir() and (part / "ground_truth").is_dir()]


def recognises(folder: Path) -> bool:
    """Whether a folder, or its ``train_data`` or ``test_data``, has ``input`` and ``ground_truth``."""
    return bool(_parts(folder))


def find(folder: Path) -> Listing:
    """The pairs, a blurred picture each; ``train_data`` also gives the validation photos, one in ten by name.

    Raises:
        DataError: there is no pair.
    """
    candidates: list[Entry] = []
    left_out: list[LeftOut] = []
    for part in _parts(folder):
        matched, refused = _pairs(part)
        left_out += refused
        candidates += [
            Entry(blurred.stem, sharp.stem, _split(part.name, sharp.stem), blurred, sharp) for blurred, sharp in matched
        ]
    return list_scenes(ABOUT, folder, candidates, left_out)


def read(entry: Any, sigma_max: float) -> Scene:
    """One pair and the map estimated from it, in units of ``sigma_max`` px.

    Raises:
        DataError: a picture that can't be read, or sizes that differ.
    """
    return read_pair(ABOUT, entry, sigma_max)


def _split(part: str, photo: str) -> Split:
    if part == "test_data":
        return "test"
    drawn = split_of(photo)
    return "train" if part == "train_data" and drawn == "test" else drawn


def _inputs(folder: Path) -> Iterator[Path]:
    """The folders that hold blurred pictures: ``input`` itself and one a photo."""
    yield folder
    yield from sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pairs(part: Path) -> tuple[list[tuple[Path, Path]], list[LeftOut]]:
    """The blurred and the sharp picture of each pair of one part, by name."""
    sharp, left_out = by_name([part / "ground_truth"])
    truths = {name: path for name, (path,) in sharp}
    matched = []
    for folder in _inputs(part / "input"):
        left_out += other_files(folder)
        for path in pictures(folder):
            refocused = _REFOCUSED.fullmatch(path.stem)
            photo = refocused["photo"] if refocused else path.stem
            if photo in truths:
                matched.append((path, truths[photo]))
            else:
                left_out.append(LeftOut(path, f"no sharp {photo} in ground_truth/"))
    used = {truth for _, truth in matched}
    lonely = [path for path in truths.values() if path not in used]
    left_out += [LeftOut(path, f"ground_truth/{path.name}: nothing in input/ is of this photo") for path in lonely]
    return sorted(matched), left_out
