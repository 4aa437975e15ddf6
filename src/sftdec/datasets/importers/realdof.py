"""RealDOF: 50 real scenes, taken blurred and sharp at once through a beam splitter; for testing only (IFAN, 2021)."""

from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import by_name, read_pair
from sftdec.datasets.listing import About, Entry, Listing, list_scenes, pictures
from sftdec.datasets.scene import Scene

ABOUT = About(
    name="realdof",
    title="RealDOF, 50 real pairs for testing (Lee et al., CVPR 2021)",
    layout="source/NN.png   blurred, 01 to 50\ntarget/NN.png   sharp",
    licence="none stated for the pictures; cite the paper, ask the authors",
    page="https://github.com/codeslake/IFAN",
    map_unit=None,
)


def recognises(folder: Path) -> bool:
    """Whether a folder has ``source/`` and ``target/`` whose pictures have equal names that are numbers."""
    names = [{path.stem for path in pictures(folder / part)} for part in ("source", "target")]
    shared = names[0] & names[1]
    return bool(shared) and all(name.isdecimal() for name in shared)


def find(folder: Path) -> Listing:
    """The pairs, by name; all are for testing.

    Raises:
        DataError: there is no pair.
    """
    matched, left_out = by_name([folder / "source", folder / "target"])
    candidates = [Entry(name, name, "test", blurred, sharp) for name, (blurred, sharp) in matched]
    return list_scenes(ABOUT, folder, candidates, left_out)


def read(entry: Any, sigma_max: float) -> Scene:
    """One pair and the map estimated from it, in units of ``sigma_max`` px.

    Raises:
        DataError: a picture that can't be read, or sizes that differ.
    """
    return read_pair(ABOUT, entry, sigma_max)
