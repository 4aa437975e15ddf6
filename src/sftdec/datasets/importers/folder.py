"""Any folder of one's own: ``blurred/`` and ``sharp/``, and ``defocus/`` if there are maps, files of equal names.

A map is a 16-bit (or 8-bit) grey PNG whose full level stands for ``fetch.sigma_max`` px of sigma. Without
``defocus/`` the maps are estimated from the pairs.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import by_name, read_pair, read_photos
from sftdec.datasets.listing import About, Check, Entry, LeftOut, Listing, list_scenes, split_of
from sftdec.datasets.scene import Scene
from sftdec.photos import picture_header, read_defocus
from sftdec.runtime import DataError

ABOUT = About(
    name="folder",
    title="pairs of your own, with or without maps",
    layout=(
        "blurred/NAME.png   any picture: PNG, JPEG, TIFF or WebP\n"
        "sharp/NAME.png     of the same name and size, the ending may differ\n"
        "defocus/NAME.png   optional: grey, its full level is fetch.sigma_max px of sigma"
    ),
    licence="yours",
    page="",
    map_unit=None,
)
_MAP_UNIT = "px of sigma: full level is fetch.sigma_max"


def recognises(folder: Path) -> bool:
    """Whether a folder has ``blurred`` and ``sharp``."""
    return (folder / "blurred").is_dir() and (folder / "sharp").is_dir()


def find(folder: Path) -> Listing:
    """The scenes, by name; the split goes by the name alone. The data set is called as its folder is.

    Raises:
        DataError: there is no scene.
    """
    name = Path(os.path.abspath(folder)).name  # there is one even for "."; a link keeps its own
    maps = [folder / "defocus"] if (folder / "defocus").is_dir() else []
    matched, left_out = by_name([folder / "blurred", folder / "sharp", *maps])
    about = replace(ABOUT, name=name, map_unit=_MAP_UNIT if maps else None)
    candidates = []
    for stem, files in matched:
        blurred, sharp = files[:2]
        defocus = files[2] if maps else None
        problem = _map_problem(defocus, blurred) if defocus else None
        if defocus and problem:
            left_out.append(LeftOut(defocus, *problem))
            continue
        details = (("dataset", name),)
        candidates.append(Entry(stem, stem, split_of(stem), blurred, sharp, defocus, details))
    return list_scenes(about, folder, candidates, left_out)


def _map_problem(defocus: Path, blurred: Path) -> tuple[str, Check] | None:
    """What is wrong with a map, as far as its header and its photo's tell."""
    try:
        found = picture_header(defocus).size
    except DataError as error:
        return str(error), "unreadable"
    try:
        expected = picture_header(blurred).size
    except DataError:
        return None  # the photo is at fault, and will be named
    if found == expected:
        return None
    reason = f"defocus/{defocus.name}: {found[0]}×{found[1]} px, but the photo is {expected[0]}×{expected[1]}"
    return reason, "size"


def read(entry: Any, sigma_max: float) -> Scene:
    """One scene; its map, read or estimated, is in units of ``sigma_max`` px.

    Raises:
        DataError: a picture that can't be read, sizes that differ, or a map that isn't grey.
    """
    about = replace(ABOUT, name=dict(entry.details)["dataset"])
    if entry.defocus is None:
        return read_pair(about, entry, sigma_max)
    blurred, sharp = read_photos(entry)
    return Scene(
        name=f"{about.name}/{entry.name}",
        dataset=about.name,
        split=entry.split,
        photo=entry.photo,
        sigma_max=sigma_max,
        blurred=blurred,
        sharp=sharp,
        defocus=read_defocus(entry.defocus),
    )
