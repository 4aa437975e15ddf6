"""SYNDOF (Lee et al., DMENet): photos and renderings that were blurred by their depth maps, with the blur's map.

``image/`` holds the *blurred* pictures: the generator writes its renderings there, and DMENet's training reads them as
its input. The sharp originals are the generator's own input, a separate archive (``synthetic_datasets/``); a
rendering's name tells its original. A picture without its original makes no scene.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.importers.pair import map_fault, other_files, read_photos, scene_of_sigma
from sftdec.datasets.listing import (
    ENDINGS,
    About,
    Check,
    Entry,
    LeftOut,
    Listing,
    list_scenes,
    name_of,
    pictures,
    split_of,
)
from sftdec.datasets.scene import Scene, Split
from sftdec.photos import read_levels
from sftdec.runtime import DataError

Unit = Literal["sigma", "coc"]
PEAKS: dict[Unit, float] = {"sigma": 7.0, "coc": 15.0}  # the largest value of a map, as its authors set it
_SAMPLED = 64  # maps looked at to tell the unit: the generator scales every lens so that its map nears the peak
_ROUNDED = 0.05  # a stored value is rounded to a tenth

ABOUT = About(
    name="syndof",
    title="SYNDOF, photos blurred by their depth maps (Lee et al., DMENet)",
    layout=(
        "image/<name>.png                                     blurred, as the generator writes them\n"
        "blur_map/<name>.png                                  maps, 16 bit, three equal channels; looks black\n"
        "synthetic_datasets/image/{MPI,SYNTHIA,middleburry}/  the sharp originals (the generator's archive),\n"
        "sharp/<name>.png                                     or these in their stead\n"
        "train/SYNDOF/..., test/SYNDOF/{image,gt}/            the same in DMENet's archive"
    ),
    licence=(
        "none stated for the pictures (the generator's code is under the AGPL 3); made from MPI Sintel, SYNTHIA and "
        "Middlebury, each with terms of its own; ask the authors"
    ),
    page="https://github.com/codeslake/SYNDOF",
    map_unit="px of Gaussian sigma, in tenths: as stored (at most 7), or from a stored CoC (at most 15)",
    peak=PEAKS["sigma"],
)
_UNITS: dict[Unit, str] = {
    "sigma": "px of Gaussian sigma in tenths, as stored (newly generated: no value beyond 7)",
    "coc": "px of Gaussian sigma, (CoC - 1) / 2 as DMENet's evaluation converts it (the shared original: CoC up to 15)",
}


def _parts(folder: Path) -> Iterator[tuple[Path, Path, bool]]:
    """The folders (pictures, maps, whether for testing) that a copy may have."""
    for place in (folder, folder / "train" / "SYNDOF"):
        yield place / "image", place / "blur_map", False
    for place in (folder / "test", folder / "test" / "SYNDOF"):
        yield place / "image", place / "gt", True


def recognises(folder: Path) -> bool:
    """Whether a folder has ``image/`` and ``blur_map/``, or ``image/`` and ``gt/`` below ``test/``."""
    return any(images.is_dir() and maps.is_dir() for images, maps, _ in _parts(folder))


def _original(stem: str) -> str:
    """What a rendering's name says of its original: ``MPI_market_2_frame_0001_f_50_fp_0_51_A_3_2`` is of frame 1."""
    return re.sub(r"_f_\d+_fp_.+_A_.+$", "", stem)


def _photo(stem: str) -> str:
    """What a rendering shows. Frames of one film are nearly alike, so a film counts as one."""
    return re.sub(r"_frame_\d+$", "", _original(stem))


def _originals(folder: Path) -> dict[str, list[Path]]:
    """The generator's input by the beginning of the names that it gives."""
    found: dict[str, list[Path]] = {}
    for root in (folder / "synthetic_datasets" / "image", folder / "data" / "synthetic_datasets" / "image"):
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.suffix.lower() in ENDINGS and path.is_file():
                source = path.relative_to(root).as_posix()
                prefix = "SYNTHIA" if "SYNTHIA" in source else "MPI" if "MPI" in source else "MIDDLEBURRY"
                found.setdefault(f"{prefix}_{path.parent.name}_{name_of(path)}", []).append(path)
    return found


def _fault(image: Path, defocus: Path | None, originals: list[Path]) -> tuple[str, Check] | None:
    """Why a rendering makes no scene; None if it does."""
    if defocus is None:
        return "no map of that name", "pair"
    if not originals:
        return (
            "no sharp original: image/ holds the blurred renderings; unpack the generator's synthetic_datasets/ "
            "beside it, or put a picture of that name into sharp/",
            "pair",
        )
    if len(originals) > 1:
        mend = "put the right one into sharp/ under the rendering's name"
        return f"{len(originals)} originals go by that name; {mend}", "pair"
    return map_fault(image, defocus)


def _scenes(folder: Path) -> Iterator[Entry | LeftOut]:
    by_name = _originals(folder)
    for images, maps, testing in _parts(folder):
        defocus = {name_of(path): path for path in pictures(maps)}
        sharp = {name_of(path): path for path in pictures(images.parent / "sharp")}
        stems = set()
        for path in pictures(images):
            if name_of(path) in stems:
                yield LeftOut(path, "a second picture of that name")
                continue
            stems.add(name_of(path))
            own = sharp.get(name_of(path))
            originals = [own] if own else by_name.get(_original(name_of(path)), [])
            fault = _fault(path, defocus.get(name_of(path)), originals)
            if fault:
                yield LeftOut(path, *fault)
                continue
            photo = _photo(name_of(path))
            name = f"test_{name_of(path)}" if testing else name_of(path)
            split: Split = "test" if testing else split_of(photo)
            yield Entry(name, photo, split, path, originals[0], defocus[name_of(path)], (("given", testing),))
        for stem, path in defocus.items():
            if stem not in stems:
                yield LeftOut(path, "a map without its picture")
        for place in (images, maps, images.parent / "sharp"):
            yield from other_files(place)


def _divide(entries: list[Entry]) -> tuple[list[Entry], list[LeftOut]]:
    """Where ``test/`` has scenes they alone are for testing, and what shows the same photo isn't trained on."""
    given = {entry.photo for entry in entries if dict(entry.details)["given"]}
    chosen, left_out = [], []
    for entry in entries:
        if dict(entry.details)["given"] or not given:
            chosen.append(entry)
        elif entry.photo in given:
            reason = f"{entry.photo} is in the test set, so not to be trained on"
            left_out.append(LeftOut(entry.blurred, reason, "extra"))
        else:
            chosen.append(replace(entry, split="train" if entry.split == "test" else entry.split))
    return chosen, left_out


def find(folder: Path) -> Listing:
    """SYNDOF's scenes by name; without a ``test/`` of its own one photo in ten is for testing, and one for validation.

    ``details`` hold the unit that the maps were taken for, sigma or CoC.
    """
    found = list(_scenes(folder))
    chosen, shared = _divide([item for item in found if isinstance(item, Entry)])
    left_out = [item for item in found if isinstance(item, LeftOut)] + shared
    maps: dict[Path, list[Path]] = {}
    for entry in chosen:
        if entry.defocus is not None:
            maps.setdefault(entry.defocus.parent, []).append(entry.defocus)
    units = {place: _unit(files) for place, files in maps.items()}
    entries = [replace(entry, details=(("unit", units[entry.defocus.parent]),)) for entry in chosen if entry.defocus]
    told = "; ".join(f"{place.name}/: {_UNITS[unit]}" for place, unit in units.items())
    return list_scenes(replace(ABOUT, map_unit=told or ABOUT.map_unit), folder, entries, left_out)


def _stored(path: Path) -> NDArray[np.float64]:
    """A map's values, float64 H×W: channel 1 in tenths.

    An 8-bit grey map in ``gt/`` is CoC, with 255 for 15: so DMENet's test compares it.
    """
    levels = read_levels(path)
    is_grey = levels.shape[2] < 3
    values = np.asarray(levels[..., 0 if is_grey else 1], np.float64)
    if is_grey and levels.dtype == np.uint8 and path.parent.name == "gt":
        return values * (PEAKS["coc"] / 255)
    return values / 10


def _unit(maps: list[Path]) -> Unit:
    """The unit of a folder's maps, by the largest value of some spread over it."""
    for path in maps[:: max(1, len(maps) // _SAMPLED)]:
        try:
            if _stored(path).max() > PEAKS["sigma"] + _ROUNDED:
                return "coc"
        except DataError:
            continue  # named when it is read
    return "sigma"


def _sigma(path: Path, unit: Unit) -> NDArray[np.float64]:
    """A map in px of sigma. CoC counts from 1, and (CoC - 1) / 2 is the Gaussian that the authors rendered with."""
    values = _stored(path)
    if values.max() > PEAKS[unit] + _ROUNDED:
        raise DataError(
            f"{path}: the map reaches {values.max():g}, but the folder's maps were taken for {unit}, at most "
            f"{PEAKS[unit]:g}; keep newly generated maps and the shared original's in two folders"
        )
    return values if unit == "sigma" else np.maximum(values - 1, 0) / 2


def read(entry: Entry, sigma_max: float) -> Scene:
    """One scene; its map is sigma in units of ``sigma_max`` px."""
    assert entry.defocus is not None
    sigma = _sigma(entry.defocus, dict(entry.details)["unit"])
    if sigma.max() > sigma_max + _ROUNDED:
        raise DataError(
            f"scene {ABOUT.name}/{entry.name}: a sigma of {sigma.max():.2f} px, above fetch.sigma_max={sigma_max:g}; "
            f"the set's maps reach {PEAKS['sigma']:g} px: set that to {PEAKS['sigma']:g}"
        )
    return scene_of_sigma(ABOUT.name, entry, read_photos(entry), sigma, sigma_max)
