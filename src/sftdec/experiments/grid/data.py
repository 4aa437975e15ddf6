"""The data sets of the grid: those of the folder of scenes, and folders of photographed pairs."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sftdec.datasets import INDEX, Scene, Split, load_scenes, pictures, read_index, select_scenes
from sftdec.photos import read_photo
from sftdec.runtime import DataError, checksum

_DECIDING = ["scene", "sigma_max", "blurred_sha256", "sharp_sha256", "defocus_sha256"]  # columns of the index
PAIRS_SPLIT = "pairs"  # photographed pairs are all for measuring
_UNIT = 6.0  # px of sigma_max that a pair, which has no map, must have all the same; no figure depends on it


@dataclass(frozen=True)
class GridData:
    """A data set as the grid measures on it.

    ``checksum``: SHA-256 over the names and checksums of its ``images`` pictures. ``has_maps``: whether the truth
    holds defocus maps. ``scenes`` reads them anew, one at a time.
    """

    name: str
    split: str
    checksum: str
    images: int
    has_maps: bool
    where: Path
    scenes: Callable[[], Iterator[Scene]]


def data_at_hand(folder: Path, split: Split, pairs: Mapping[str, Path]) -> list[GridData]:
    """Each data set of the folder of scenes that has pictures in this split, and the pairs; by name.

    The folder may be missing where there are pairs.

    Raises:
        DataError: nothing to measure on, an index that can't be read, a name that stands for two data sets, or a
            folder of pairs that holds none or whose pictures don't fit.
    """
    known = _of_scenes(folder, split) if (folder / INDEX).exists() or not pairs else []
    taken = {data.name for data in known}
    for name in pairs:
        if name in taken:
            raise DataError(
                f"--pairs {name}={pairs[name]}: {folder} has a data set {name}; give the pairs another name"
            )
    return sorted([*known, *(_of_pairs(name, place) for name, place in pairs.items())], key=lambda data: data.name)


def _of_scenes(folder: Path, split: Split) -> list[GridData]:
    chosen = select_scenes(read_index(folder), split)
    found = []
    for name, rows in chosen.groupby("dataset", sort=True):
        ordered = rows[_DECIDING].sort_values("scene").itertuples(index=False)
        digest = _digest("\t".join(map(str, row)) for row in ordered)
        scenes = partial(load_scenes, folder, split, str(name))
        found.append(GridData(str(name), split, digest, len(rows), True, folder, scenes))
    return found


def _of_pairs(name: str, folder: Path) -> GridData:
    pairs = find_pairs(folder)
    return GridData(
        name, PAIRS_SPLIT, pairs_digest(pairs), len(pairs), False, folder, partial(_read_pairs, name, pairs)
    )


def pairs_digest(pairs: Iterable[tuple[Path, Path]]) -> str:
    """SHA-256 over the blurred files' names and both files' checksums of each pair."""
    return _digest(f"{blurred.stem}\t{checksum(blurred)}\t{checksum(sharp)}" for blurred, sharp in pairs)


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Blurred and sharp file of each pair: FOLDER/input/… belongs to the picture of FOLDER/ground_truth/ whose name
    it begins with, to the longest one of several.

    Raises:
        DataError: there is none, or a blurred picture without a sharp one.
    """
    parts = [folder / "input", folder / "ground_truth"]
    inputs, truths = (pictures(part) if part.is_dir() else [] for part in parts)
    if not inputs or not truths:
        raise DataError(f"{folder}: found no pair; expected pictures in input/ (blurred) and ground_truth/ (sharp)")
    pairs = []
    for blurred in inputs:
        fitting = [truth for truth in truths if blurred.stem.startswith(truth.stem)]
        if not fitting:
            raise DataError(
                f"{blurred}: no picture of ground_truth/ has a name that this one begins with; add it, or take it out"
            )
        pairs.append((blurred, max(fitting, key=lambda truth: len(truth.stem))))
    return pairs


def _read_pairs(dataset: str, pairs: Iterable[tuple[Path, Path]]) -> Iterator[Scene]:
    """The pairs as scenes; their maps are empty and mean nothing."""
    for blurred, sharp in pairs:
        before, after = read_photo(blurred), read_photo(sharp)
        if before.shape != after.shape:
            raise DataError(
                f"{blurred}: {before.shape[0]}×{before.shape[1]} px, but {sharp} is {after.shape[0]}×"
                f"{after.shape[1]}: a pair has one size; take it out"
            )
        nothing = np.zeros(before.shape[:2], np.float32)
        yield Scene(f"{dataset}/{blurred.stem}", dataset, "test", sharp.stem, _UNIT, before, after, nothing)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
