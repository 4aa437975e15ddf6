"""Pairs of photos that models are judged on, where they lie: found by the importers, never trained on."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from sftdec.datasets.importers.pair import read_photos
from sftdec.datasets.listing import Entry
from sftdec.datasets.recognise import recognise
from sftdec.datasets.scene import Scene
from sftdec.runtime import DataError

_UNIT = 6.0  # px of sigma_max that a pair, which has no map, must have all the same; no figure depends on it


def find_pairs(folder: Path) -> list[Entry]:
    """The blurred and the sharp picture of each pair in a folder of any layout that an importer reads.

    In a folder of their own, sharp pictures may lack blurred ones.

    Raises:
        DataError: there is no pair, or a blurred picture without a sharp one, that can't be read or of another size.
    """
    fitting = [importer for importer in recognise(folder) if importer.ABOUT.has_sharp]
    if not fitting:
        raise DataError(
            f"{folder}: found no pair; expected pictures in input/ (blurred) and ground_truth/ (sharp), or what "
            "`sftdec datasets` shows"
        )
    listing = fitting[0].find(folder)
    pairs = [entry for entry in listing.entries if isinstance(entry, Entry)]
    if not pairs:
        raise DataError(f"{folder}: found {listing.about.title}, expected pairs of photos")
    blurred = {entry.blurred.parent for entry in pairs}
    sharp = {entry.sharp.parent for entry in pairs if entry.sharp} - blurred
    for fault in listing.faults:
        if fault.path.parent not in sharp:
            raise DataError(f"{fault.path}: {fault.reason}; add what is missing, or take it out")
    return pairs


def read_pairs(dataset: str, pairs: Iterable[Entry]) -> Iterator[Scene]:
    """The pairs as scenes of a data set, for testing; their maps are 0 throughout and mean nothing."""
    for entry in pairs:
        blurred, sharp = read_photos(entry)
        nothing = np.zeros(blurred.shape[:2], np.float32)
        yield Scene(f"{dataset}/{entry.name}", dataset, "test", entry.photo, _UNIT, blurred, sharp, nothing)
