"""Realistic, also RTF (D'Andrès et al. 2016): 22 photos of a light-field camera, blurred and sharp, with blur maps.

It goes round in three layouts, which may lie in one folder: (a) and (b) bring the pairs, (c) brings the pictures at
three levels of noise and the maps. A sharp picture serves its number at every level of noise; so does a map, since
noise doesn't move the blur.

The authors' ``.mat`` maps hold the radius of a disc, 0.5 to 6 px. The field compares Gaussian sigma, 0 to 3.275 px,
after the authors' own table of which Gaussian looks like which disc; ``.npy`` maps have been through it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from sftdec.datasets.importers.pair import other_files, read_pair, read_photos, scene_of_sigma
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, pictures
from sftdec.datasets.scene import Scene
from sftdec.runtime import DataError

SIGMA_PEAK = 3.275  # px: the strongest blur; published maps are divided by it
LEVELS = ("0", "1", "1.6")  # noise, standard deviation in grey levels
# Gaussian sigma that looks like a disc of this radius, both px: D'Andrès et al.'s table, as the evaluation code of
# DMENet uses it, in so few knots that none of its 23 rows is off by more than 0.03 px
_RADII = (0.0, 0.5, 1.0, 1.5, 3.0, 6.0)
_SIGMAS = (0.0, 0.3, 0.65, 0.875, 1.65, SIGMA_PEAK)
MAPS = (".npy", ".mat")  # endings, the better one first
_GROUND_TRUTH = ("gt", "ground_truth_data")
_PAIRS = ("input", "target")  # as CLDefocus keeps it
_PHOTOS = 22  # more of these names are another data set

ABOUT = About(
    name="realistic",
    title="Realistic or RTF, 22 photos of a light-field camera (D'Andrès et al. 2016)",
    layout=(
        "image/0/image_<NN>.png, GT/sharp_<NN>.png                        (a) pairs\n"
        "Ground_Truth_Data/image_<NN>.png, .../sharp_<NN>.png             (b) pairs\n"
        "input/image_<NN>.png, target/sharp_<NN>.png                      (b) as CLDefocus keeps it\n"
        "image/{0,1,1.6}/*<NN>.png, gt/{0,1,1.6}/*<NN>.mat or .npy        (c) noise and maps; sharp as in (a), (b)"
    ),
    licence="none stated; ask the authors",
    page="https://github.com/codeslake/DMENet/tree/master/evaluation/RTF (links the authors' archive)",
    map_unit="px of Gaussian sigma, clipped to 0..3.275; papers publish it divided by 3.275, here by sigma_max",
    peak=SIGMA_PEAK,
)


def _ground_truth(folder: Path) -> list[Path]:
    """The folders of sharp pictures and maps; ``GT`` and ``gt`` are two where case counts."""
    if not folder.is_dir():
        return []
    names = _GROUND_TRUTH + _PAIRS
    return sorted(path for path in folder.iterdir() if path.name.lower() in names and path.is_dir())


def _number(path: Path) -> str | None:
    """The picture's number; None where the name has no number, or several that would have to be guessed between."""
    digits = re.findall(r"\d+", path.stem)
    return f"{int(digits[0]):02d}" if len(digits) == 1 else None


def _word(path: Path) -> str:
    return path.stem.lower().partition("_")[0]


def recognises(folder: Path) -> bool:
    """Whether a folder has sharp pictures or maps beside pictures of one of the three layouts."""
    truth = _ground_truth(folder)
    if any((folder / "image" / level).is_dir() for level in LEVELS):
        return any(place.name.lower() in _GROUND_TRUTH for place in truth)
    words = Counter(_word(path) for place in truth for path in pictures(place))
    if any("ground" in place.name.lower() for place in truth):
        return words["sharp"] > 0
    return words.keys() == {"image", "sharp"} and max(words.values()) <= _PHOTOS


def _files(folder: Path) -> Iterator[tuple[str, str | None, str, Path]]:
    """Each file as (kind, number, noise level, path), the best of its kind first: blurred, sharp, map or other."""
    for level in LEVELS:
        for path in pictures(folder / "image" / level):
            yield "blurred", _number(path), level, path
    for place in _ground_truth(folder):
        for path in pictures(place):
            yield {"sharp": "sharp", "image": "blurred"}.get(_word(path), "other"), _number(path), "0", path
        for level, inside in (*((level, place / level) for level in LEVELS), ("0", place)):
            found = sorted(inside.iterdir()) if inside.is_dir() else []
            for ending in MAPS:
                for path in (path for path in found if path.suffix.lower() == ending):
                    yield "map", _number(path), level, path


def _strangers(folder: Path) -> list[LeftOut]:
    """What is neither a picture nor a map where those lie."""
    inside = [folder / "image" / level for level in LEVELS]
    for place in _ground_truth(folder):
        inside += [place, *(place / level for level in LEVELS)]
    return [item for part in inside for item in other_files(part) if item.path.suffix.lower() not in MAPS]


def _values(path: Path) -> NDArray[np.float64]:
    """A map as its file holds it, float64 H×W."""
    try:
        if path.suffix.lower() == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = loadmat(path, variable_names=["blurMap"])["blurMap"]
        values = np.asarray(found, np.float64)
    except KeyError:
        raise DataError(f"{path}: no variable blurMap in it; take the map from the authors' archive") from None
    except Exception as error:  # loadmat raises whatever the bytes lead it to
        raise DataError(f"{path}: not a map that can be read ({error}); replace the file") from error
    if values.ndim != 2 or not values.size:
        raise DataError(f"{path}: a map of shape {values.shape}, expected height × width; replace the file")
    if not np.isfinite(values).all() or values.min() < 0:
        raise DataError(f"{path}: found negative values, NaN or infinity, expected px of blur; replace the file")
    return values


def _in_discs(maps: Sequence[Path]) -> tuple[bool, list[LeftOut]]:
    """Whether ``.mat`` maps hold radii of discs, which only values beyond 3.275 can tell; and maps that are broken."""
    discs, broken = False, []
    for path in maps:
        try:
            values = _values(path)
        except DataError as error:
            broken.append(LeftOut(path, str(error), "unreadable"))
        else:
            discs |= path.suffix.lower() == ".mat" and bool(values.max() > SIGMA_PEAK + 1e-6)
    return discs, broken


def find(folder: Path) -> Listing:
    """Realistic's scenes by number and level of noise, all for testing: ``07_noise_1.6``.

    ``details`` hold the noise (grey levels) and whether the map is in radii of discs.
    """
    found: dict[tuple[str, str, str], Path] = {}
    left_out = []
    for kind, number, level, path in _files(folder):
        if kind == "other":
            left_out.append(LeftOut(path, "neither image_<NN> nor sharp_<NN>", "extra"))
        elif number is None:
            left_out.append(LeftOut(path, "expected one number in its name to pair it by"))
        elif (kind, number, level) in found:
            left_out.append(LeftOut(path, f"{found[kind, number, level].name} is the {kind} one of its number already"))
        else:
            found[kind, number, level] = path
    left_out += _strangers(folder)
    discs, broken = _in_discs([path for (kind, _, _), path in found.items() if kind == "map"])
    bad = {item.path for item in broken}
    entries = []
    for (kind, number, level), path in sorted(found.items()):
        if kind != "blurred":
            continue
        sharp = found.get(("sharp", number, "0"))
        if sharp is None:
            left_out.append(LeftOut(path, f"no sharp picture: put sharp_{number}.png (layouts a, b) into GT/"))
            continue
        maps = (found.get(("map", number, other)) for other in (level, *LEVELS))
        defocus = next((item for item in maps if item is not None and item not in bad), None)
        details = (("noise", float(level)), ("discs", discs))
        entries.append(Entry(f"{number}_noise_{level}", number, "test", path, sharp, defocus, details))
    pictured = {number for kind, number, _ in found if kind == "blurred"}
    for (kind, number, _), path in sorted(found.items()):
        if kind != "blurred" and number not in pictured:
            left_out.append(LeftOut(path, f"no blurred picture of number {number}"))
    return list_scenes(_about(entries, discs), folder, entries, left_out + broken)


def _about(entries: Sequence[Entry], discs: bool) -> About:
    """What the maps of this folder are in."""
    mapped = sum(entry.defocus is not None for entry in entries)
    unit = f"{ABOUT.map_unit}; " + (
        ".mat taken as radii of discs (values beyond 3.275), converted by the authors' table"
        if discs
        else ".mat and .npy taken as sigma (no .mat value beyond 3.275)"
    )
    if not mapped:
        return replace(ABOUT, map_unit=None)
    return replace(ABOUT, map_unit=unit + (f"; {len(entries) - mapped} estimated" if mapped < len(entries) else ""))


def _published_sigma(path: Path, discs: bool, height: int, width: int) -> NDArray[np.float64]:
    """A scene's map in px of sigma, with the photo's height and at most a tenth less of its width."""
    values = _values(path)
    if values.shape[0] != height or not 0.9 * width <= values.shape[1] <= width:
        raise DataError(
            f"{path}: the map is {values.shape[1]}×{values.shape[0]} px and its photo {width}×{height}, "
            "expected the same height and at most a tenth cropped on the right; pair them anew"
        )
    if path.suffix.lower() == ".mat" and discs:
        values = np.interp(values, _RADII, _SIGMAS)
    return np.clip(values, 0, SIGMA_PEAK)


def read(entry: Entry, sigma_max: float) -> Scene:
    """One scene, cropped on the right to what its map covers; without a map it is estimated from the pair."""
    if entry.defocus is None:
        return read_pair(ABOUT.name, entry, sigma_max)
    blurred, sharp = read_photos(entry)
    sigma = _published_sigma(entry.defocus, dict(entry.details)["discs"], *blurred.shape[:2])
    width = sigma.shape[1]
    pair = np.ascontiguousarray(blurred[:, :width]), np.ascontiguousarray(sharp[:, :width])
    return scene_of_sigma(ABOUT.name, entry, pair, sigma, sigma_max)
