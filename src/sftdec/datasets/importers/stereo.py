"""Photos with a measured disparity, rendered through a thin lens: as many renderings of each as ``RENDERINGS`` says.

What a value of disparity stands for need not be known. A circle of confusion grows with the difference between the
disparity and that of the focus, and the aperture is set so that the largest is as drawn: factor and offset cancel.
"""

import hashlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from sftdec.datasets.depth import disparity_depth
from sftdec.datasets.importers.pair import scene_of_sigma
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, composed, list_scenes, name_of, pictures, split_of
from sftdec.datasets.scene import Scene
from sftdec.optics import (
    PSF_SHAPES,
    Aperture,
    PsfShape,
    ThinLens,
    add_noise,
    linear_to_srgb,
    render_photo,
    sigma_of_radius,
    srgb_to_linear,
    stopped_down_to,
    to_8bit,
)
from sftdec.photos import picture_header, read_photo, read_values
from sftdec.runtime import DataError

RENDERINGS = 3  # of each photo
LONGEST_SIDE = 1000  # px; a larger photo is shrunk to it

ABOUT = About(
    name="stereo",
    title="photos with measured disparity, as Middlebury's, rendered out of focus",
    layout=(
        "SCENE/view1.png and SCENE/disp1.png     Middlebury 2005 and 2006; a disparity of 0 or infinity is unknown\n"
        "SCENE/im0.png and SCENE/disp0.pfm       2014 and later; also disp0GT.pfm\n"
        "SCENE/im2.png and SCENE/disp2.png       2003\n"
        "or SCENE_view.png and SCENE_disp.png    without folders"
    ),
    licence="Middlebury grants use and publication of pictures and disparities and asks that its papers be cited",
    page="https://vision.middlebury.edu/stereo/data/",
    map_unit="px of sigma, exact: the lens that rendered the scene",
)

_NAMES = (("view1", "disp1"), ("im0", "disp0"), ("im0", "disp0GT"), ("im2", "disp2"))
_STEP = 0.5  # px of radius between the layers that are rendered
_LARGEST_RADIUS = 12.0  # px
_NEAREST = 100.0  # what the largest disparity becomes: then the nearest thing is 1.5 m from the camera of ``depth``
_SHOT_NOISE, _READ_NOISE = 0.00002, 0.001  # as the sample data set's test scenes


def recognises(folder: Path) -> bool:
    """Whether a folder holds at least one photo with its disparity."""
    return bool(_candidates(folder)[0])


def find(folder: Path) -> Listing:
    """The renderings of each photo, by name; the split goes by the photo's name alone."""
    candidates, left_out = _candidates(folder)
    entries = []
    for name, view, disparity in candidates:
        try:
            _fits(disparity, view)
        except DataError as error:
            left_out.append(LeftOut(disparity, str(error), "unreadable"))
            continue
        for number in range(RENDERINGS):
            details = (("rendering", number), ("drawn by", f"{name}_{number}"))
            entries.append(Entry(f"{name}_{number}", name, split_of(name), view, view, disparity, details))
    return list_scenes(ABOUT, folder, entries, left_out)


def read(entry: Any, sigma_max: float) -> Scene:
    """One rendering: its focus, largest circle of confusion and aperture are drawn from the entry's name.

    The radius is 12 px at most, and 2 ``sigma_max``. The first rendering of a photo is focused on its far third, the
    last on its near one.
    """
    photo, depth = _photo_and_depth(entry)
    details = dict(entry.details)
    generator = np.random.default_rng(list(hashlib.sha256(details["drawn by"].encode()).digest()))
    quantile = (details["rendering"] + generator.random()) / RENDERINGS
    focus = 1 / float(np.quantile(1 / depth, quantile))
    shape = cast(PsfShape, str(generator.choice(PSF_SHAPES)))
    largest = _largest_radius(entry.name, generator.uniform(0.4, 1), sigma_max)
    lens = stopped_down_to(ThinLens(50, 2, focus, 10), depth, largest)
    aperture = Aperture(shape, int(generator.integers(5, 9)))
    blurred, radius = render_photo(photo, lens.coc_radius(depth), aperture, _STEP)
    noisy = add_noise(blurred, _SHOT_NOISE, _READ_NOISE, generator)
    pair = to_8bit(linear_to_srgb(noisy)), to_8bit(linear_to_srgb(photo))
    sigma = np.abs(radius) * np.float32(sigma_of_radius(1))
    return scene_of_sigma(ABOUT.name, entry, pair, sigma, sigma_max)


def read_disparity(path: Path) -> NDArray[np.float32]:
    """A disparity, H×W, above 0 where known, else 0, from a grey picture or a PFM file.

    Raises:
        DataError: a file that can't be read or isn't grey, or one value everywhere: without depth nothing is blurred.
    """
    values = read_values(path).astype(np.float32)
    disparity = np.where(np.isfinite(values) & (values > 0), values, 0).astype(np.float32)
    known = disparity[disparity > 0]
    if known.size == 0 or known.min() == known.max():
        found = f"{known[0]:g} wherever it is known" if known.size else "nowhere known"
        raise DataError(f"{path}: the disparity is {found}, expected near and far; take the scene out of the data set")
    return disparity


def _fits(disparity: Path, view: Path) -> None:
    """Check a disparity against its photo."""
    disparity_depth(read_disparity(disparity), picture_header(view).size, str(disparity))


def _photo_and_depth(entry: Entry) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The photo in linear light, H×W×3, and its depth in m, H×W, neither side above ``LONGEST_SIDE``."""
    assert entry.defocus is not None
    levels, disparity = read_photo(entry.blurred), read_disparity(entry.defocus)
    depth = disparity_depth(disparity * (_NEAREST / disparity.max()), levels.shape[:2], str(entry.defocus))
    photo = srgb_to_linear(levels / np.float32(255))
    share = LONGEST_SIDE / max(depth.shape)
    if share < 1:
        size = (round(share * depth.shape[0]), round(share * depth.shape[1]))
        photo = resize(photo, size, order=1, anti_aliasing=True).astype(np.float32)
        depth = resize(depth, size, order=0, anti_aliasing=False)
    return photo, depth


def _largest_radius(name: str, share: float, sigma_max: float) -> float:
    """A share of the largest radius (px) that is allowed, rounded down to a layer's."""
    allowed = min(_LARGEST_RADIUS, sigma_max / sigma_of_radius(1))
    if allowed < _STEP:
        raise DataError(
            f"scene stereo/{name}: fetch.sigma_max={sigma_max} px allows no blur: "
            f"raise it to {sigma_of_radius(_STEP)} or more"
        )
    return max(_STEP, float(np.floor(share * allowed / _STEP)) * _STEP)


def _candidates(folder: Path) -> tuple[list[tuple[str, Path, Path]], list[LeftOut]]:
    """Name, photo and disparity of each scene, and what has only one of the two."""
    found: list[tuple[str, Path, Path]] = []
    left_out: list[LeftOut] = []
    if not folder.is_dir():
        return found, left_out
    for scene in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        files = _by_stem(scene)
        names = next(((view, disp) for view, disp in _NAMES if view in files and disp in files), None)
        if names:
            found.append((composed(scene.name), files[names[0]], files[names[1]]))
        else:
            wanted = ", ".join(f"{view} with {disp}" for view, disp in _NAMES)
            left_out.append(LeftOut(scene, f"no photo with its disparity: expected one of {wanted}"))
    files = _by_stem(folder)
    for name in sorted({stem.rpartition("_")[0] for stem in files if stem.endswith(("_view", "_disp"))}):
        pair = [files.get(f"{name}_{part}") for part in ("view", "disp")]
        if pair[0] and pair[1]:
            found.append((name, pair[0], pair[1]))
        else:
            only = next(path for path in pair if path)
            left_out.append(LeftOut(only, f"no {name}_{'disp' if pair[0] else 'view'} beside it"))
    return found, left_out


def _by_stem(folder: Path) -> dict[str, Path]:
    """Pictures and PFM files by name; a PFM, which is exact, goes before a picture of that name."""
    files = pictures(folder) + sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pfm")
    return {name_of(path): path for path in files}
