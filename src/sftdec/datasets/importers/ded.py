"""DED (Ma et al., DID-ANet): light-field photos with refocused blurred pictures, all-sharp pictures and defocus maps.

Pairing follows the authors' loader: the pictures of ``sharp/`` drive, and the number after the last ``_`` names the
blurred picture and the map. Their split is drawn anew at each run; here it goes by the scene's name.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.importers.pair import map_fault, other_files, read_photos, scene_of
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, pictures, split_of
from sftdec.datasets.scene import Scene, Split
from sftdec.photos import read_values
from sftdec.runtime import DataError

FULL = 65280  # the level of the strongest blur: 255 · 256

ABOUT = About(
    name="ded",
    title="DED, real scenes of a light-field camera (Ma et al., DID-ANet)",
    layout=(
        "sharp/<prefix>_<number>.jpg\n"
        "image/image_<number>.jpg                       blurred\n"
        "filtered/defocus_filterd_<number>.png          map, 16-bit grey (their spelling; filtered_ is read too)\n"
        "test/...                                       the same three folders, if you have them; else left out"
    ),
    licence="none stated for the pictures (the authors' code is under the MIT licence); ask the authors",
    page="https://github.com/xytmhy/DID-ANet-Defocus-Deblurring",
    map_unit="share of the strongest blur of the set (level / 65280); not px: the authors give no unit",
)


def _trained(folder: Path) -> Path:
    return folder if (folder / "sharp").is_dir() else folder / "train"


def recognises(folder: Path) -> bool:
    """Whether a folder has ``sharp/``, ``image/`` and ``filtered/``."""
    return all((_trained(folder) / part).is_dir() for part in ("sharp", "image", "filtered"))


def _numbered(folder: Path, *prefixes: str) -> dict[str, Path]:
    """Pictures by the number after a prefix; of two spellings of one name the first counts."""
    found: dict[str, Path] = {}
    for prefix in prefixes:
        for path in pictures(folder):
            if path.stem.lower().startswith(prefix):
                found.setdefault(path.stem[len(prefix) :], path)
    return found


def _scene(
    sharp: Path, blurred: Path | None, defocus: Path | None, number: str, split: Split | None, label: str
) -> Entry | LeftOut:
    """The scene of a sharp picture, or why it makes none."""
    if blurred is None:
        return LeftOut(sharp, f"no blurred partner: image/image_{number}.jpg is missing")
    if defocus is None:
        return LeftOut(sharp, f"no map: filtered/defocus_filterd_{number}.png is missing")
    fault = map_fault(blurred, defocus)
    if fault:
        return LeftOut(sharp, *fault)
    name = f"{label}{number}"
    return Entry(name, name, split or split_of(name), blurred, sharp, defocus)


def _scenes(part: Path, split: Split | None, label: str) -> Iterator[Entry | LeftOut]:
    """What one folder of ``sharp/``, ``image/`` and ``filtered/`` holds, in the order of the sharp pictures."""
    blurred = _numbered(part / "image", "image_")
    maps = _numbered(part / "filtered", "defocus_filterd_", "defocus_filtered_")
    used: set[Path] = set()
    taken: dict[str, Path] = {}
    for sharp in pictures(part / "sharp"):
        number = sharp.stem.rpartition("_")[2]
        if number in taken:
            yield LeftOut(sharp, f"number {number} is that of {taken[number].name} already: which one is meant?")
            continue
        taken[number] = sharp
        picture, defocus = blurred.get(number), maps.get(number)
        used |= {path for path in (picture, defocus) if path is not None}
        yield _scene(sharp, picture, defocus, number, split, label)
    for folder in ("sharp", "image", "filtered"):
        yield from other_files(part / folder)
    for folder in ("image", "filtered"):
        for path in pictures(part / folder):
            if path not in used:
                yield LeftOut(path, "the partner of no sharp picture: sharp/ lacks its number, or it is there twice")


def _test(folder: Path) -> Iterator[Entry | LeftOut]:
    """The test folder: a split of its own with ground truth, left out without."""
    if pictures(folder / "sharp"):
        yield from _scenes(folder, "test", "test_")
        return
    count = len(pictures(folder)) + len(pictures(folder / "image"))
    if count:
        yield LeftOut(folder, f"{count} pictures without ground truth (no sharp/): nothing to compare with", "extra")


def find(folder: Path) -> Listing:
    """DED's scenes by number; without a test set of its own one in ten is for testing, and one for validation."""
    found = [*_scenes(_trained(folder), None, ""), *_test(folder / "test")]
    left_out = [item for item in found if isinstance(item, LeftOut)]
    entries = sorted((item for item in found if isinstance(item, Entry)), key=lambda entry: entry.name)
    return list_scenes(ABOUT, folder, entries, left_out)


def _share(path: Path) -> NDArray[np.float32]:
    """A map as float32 H×W in 0..1, from a grey picture of 16 or 8 bits, or of floats."""
    levels = read_values(path)
    full = {"uint8": 255, "uint16": FULL}.get(levels.dtype.name, 1)
    if levels.max() > full:
        raise DataError(f"{path}: level {levels.max()} is beyond {full}, the strongest blur of DED; replace the map")
    return (levels / full).astype(np.float32)


def read(entry: Entry, sigma_max: float) -> Scene:
    """One scene. Its map is a share of the set's strongest blur, whatever ``sigma_max``: DED's unit isn't known."""
    assert entry.defocus is not None
    return scene_of(ABOUT.name, entry, read_photos(entry), _share(entry.defocus), sigma_max)
