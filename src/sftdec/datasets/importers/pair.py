"""What the importers of pairs share: pictures by name, and a scene whose map is estimated from its pair."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.agreement import Agreed, Disagreement, agree
from sftdec.datasets.light import read_pair_levels
from sftdec.datasets.listing import Check, Entry, LeftOut, name_of, pictures
from sftdec.datasets.scene import Scene
from sftdec.photos import DEVELOP, RAW_ENDINGS, picture_header
from sftdec.runtime import DataError

Found = tuple[list[tuple[str, list[Path]]], list[LeftOut]]  # each photo's name and files; what is left out
_UNREAD = frozenset((*RAW_ENDINGS, ".gif", ".jxl", ".psd", ".exr", ".hdr", ".ppm", ".pgm", ".pfm", ".npy", ".mat"))
_ROUNDING = 1e-4  # px of sigma that a map may be above its largest value


def other_files(*folders: Path) -> list[LeftOut]:
    """What lies in folders of pictures without being read as one, a line an ending; hidden files and folders aside.

    The first two are a pair's: what both have, a picture of a kind that isn't read, is a fault.
    """
    left_out, unread, others = [], [], []
    for folder in folders:
        known = set(pictures(folder))
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        others.append([path for path in files if path.is_file() and path not in known and path.name[0] != "."])
        read = {name_of(path) for path in known}
        by_stem = {name_of(path): path for path in others[-1] if path.suffix.lower() in _UNREAD}
        unread.append({name: path for name, path in by_stem.items() if name not in read})
    pairs = unread[0].keys() & unread[1].keys() if len(unread) > 1 else set()
    for without, files in zip(unread, others, strict=True):
        by_ending: dict[str, list[Path]] = {}
        for path in files:
            if without.get(name_of(path)) != path or name_of(path) not in pairs:
                by_ending.setdefault(path.suffix.lower(), []).append(path)
        for ending, same in sorted(by_ending.items()):
            more = f"; {len(same)} files end in {ending}" if len(same) > 1 else ""
            left_out.append(LeftOut(same[0], f"no picture that is read{more}", "extra"))
    for name in sorted(pairs):
        path, ending = unread[0][name], unread[0][name].suffix.lower()
        raw = f"a camera's raw file: {DEVELOP}"
        what = raw if ending in RAW_ENDINGS else f"{ending} isn't read: convert it to PNG, TIFF or JPEG"
        left_out.append(LeftOut(path, f"{path.parent.name}/{path.name} and its partner: {what}", "unreadable"))
    return left_out


def by_name(folders: Sequence[Path], named: Callable[[Path], str] = name_of) -> Found:
    """The pictures of equal names in these folders, endings aside: each name with its file in each folder.

    ``named``: the name that a picture goes by.
    A name that a folder lacks, or has twice, is left out with a reason, and so is a file that is no picture.
    """
    held: list[dict[str, list[Path]]] = []
    for folder in folders:
        held.append({})
        for path in pictures(folder):
            held[-1].setdefault(named(path), []).append(path)
    matched, left_out = matched_by_name(held, [f"in {folder.name}/" for folder in folders])
    return matched, other_files(*folders) + left_out


def matched_by_name(held: Sequence[Mapping[str, Sequence[Path]]], places: Sequence[str]) -> Found:
    """Each name that is once in every place, with its files; ``held``: the files of each name, a place each."""
    matched: list[tuple[str, list[Path]]] = []
    left_out = []
    for name in sorted({name for files in held for name in files}):
        found = [files.get(name, []) for files in held]
        lacking = ", ".join(place for place, files in zip(places, found, strict=True) if not files)
        doubled = [path.name for files in found if len(files) > 1 for path in files]
        if not lacking and not doubled:
            matched.append((name, [path for files in found for path in files]))
            continue
        reason = f"no partner of this name {lacking}" if lacking else f"{' and '.join(doubled)}: keep one of them"
        left_out += [LeftOut(path, f"{path.parent.name}/{path.name}: {reason}") for files in found for path in files]
    return matched, left_out


def map_fault(photo: Path, defocus: Path) -> tuple[str, Check] | None:
    """Why a map can't belong to a photo, by their headers; None if it can."""
    try:
        size, other = picture_header(photo).size, picture_header(defocus).size
    except DataError as error:
        return str(error), "unreadable"
    if size != other:
        found = f"{size[1]}×{size[0]} px, but its map is {other[1]}×{other[0]} ({defocus.name})"
        return f"{found}: a scene has one size", "size"
    return None


def scene_of(
    dataset: str,
    entry: Entry,
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]] | Agreed,
    defocus: NDArray[np.float32],
    sigma_max: float,
) -> Scene:
    """The scene of a blurred and a sharp photo, uint8 H×W×3, and their map, H×W in 0..1, which is cut as they are."""
    made, margin = (pair.made, pair.margin) if isinstance(pair, Agreed) else ("", 0)
    inside = slice(margin, -margin or None)
    name = f"{dataset}/{entry.name}"
    return Scene(name, dataset, entry.split, entry.photo, sigma_max, *pair[:2], defocus[inside, inside], made=made)


def scene_of_sigma(
    dataset: str,
    entry: Entry,
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]] | Agreed,
    sigma: NDArray[np.floating[Any]],
    sigma_max: float,
) -> Scene:
    """As ``scene_of``, of a sigma in px, H×W.

    Raises:
        DataError: a sigma above ``sigma_max``, or sizes that differ.
    """
    peak = float(sigma.max())
    if peak > sigma_max + _ROUNDING:
        raise DataError(
            f"scene {dataset}/{entry.name}: the blur reaches a sigma of {peak:.2f} px, above "
            f"fetch.sigma_max={sigma_max:g}: raise that to {np.ceil(peak * 10) / 10:.1f} or more"
        )
    return scene_of(dataset, entry, pair, np.minimum(sigma / sigma_max, 1).astype(np.float32), sigma_max)


def read_photos(entry: Entry) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The blurred and the sharp photo of an entry, both uint8 H×W×3.

    Raises:
        DataError: a picture that can't be read, no sharp one, or sizes that differ.
    """
    if entry.sharp is None:
        raise DataError(f"{entry.blurred}: there is no sharp photo of it; a pair needs both")
    blurred, sharp = read_pair_levels(entry.blurred, entry.sharp)
    if blurred.shape != sharp.shape:
        (height, width), (other_height, other_width) = blurred.shape[:2], sharp.shape[:2]
        raise DataError(
            f"{entry.blurred}: {width}×{height} px, but {entry.sharp} is {other_width}×{other_height}: "
            "a pair has one size; take it out of the data set"
        )
    return blurred, sharp


def read_agreed(entry: Entry) -> Agreed:
    """As ``read_photos``, for training: made to agree in place and light."""
    try:
        return agree(*read_photos(entry))
    except Disagreement as error:
        raise Disagreement(error.check, f"{entry.blurred}: {error}") from None


def read_pair(dataset: str, entry: Entry, sigma_max: float) -> Scene:
    """The scene of a pair without a map; ``estimate_defocus`` makes one, in units of ``sigma_max`` px, to 8 bits: their
    steps are far below its errors, and what lies between them would take more room than both photos.
    """
    from sftdec.datasets.pair_defocus import estimate_defocus

    blurred, sharp, made, _ = read_agreed(entry)
    sigma = estimate_defocus(blurred, sharp, sigma_max).sigma
    levels = np.rint(sigma * (255 / sigma_max))
    return scene_of(dataset, entry, Agreed(blurred, sharp, made), np.asarray(levels / 255, np.float32), sigma_max)
