"""The data sets of the grid: those of the folder of scenes, and folders of photographed pairs."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sftdec.datasets import (
    INDEX,
    Entry,
    Scene,
    Split,
    find_pairs,
    load_scenes,
    read_index,
    read_pairs,
    select_scenes,
)
from sftdec.runtime import DataError, checksum

_DECIDING = ["scene", "sigma_max", "blurred_sha256", "sharp_sha256", "defocus_sha256"]  # columns of the index
PAIRS_SPLIT = "pairs"  # photographed pairs are all for measuring


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
    return GridData(name, PAIRS_SPLIT, pairs_digest(pairs), len(pairs), False, folder, partial(read_pairs, name, pairs))


def pairs_digest(pairs: Iterable[Entry]) -> str:
    """SHA-256 over the names and both files' checksums of each pair."""
    return _digest(
        f"{pair.name}\t" + "\t".join(checksum(path) for path in (pair.blurred, pair.sharp) if path) for pair in pairs
    )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
