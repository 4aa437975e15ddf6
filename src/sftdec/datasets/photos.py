"""The photos and textures that scikit-image, scikit-learn and matplotlib carry in their wheels, and a table's own."""

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sftdec.photos import read_photo
from sftdec.runtime import DataError

# name: (package, folder, file)
_WHEEL_PHOTOS = {
    "astronaut": ("skimage", "data", "astronaut.png"),
    "chelsea": ("skimage", "data", "chelsea.png"),
    "coffee": ("skimage", "data", "coffee.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data", "grace_hopper.jpg"),
    "hubble": ("skimage", "data", "hubble_deep_field.jpg"),
    "ihc": ("skimage", "data", "ihc.png"),
    "motorcycle": ("skimage", "data", "motorcycle_left.png"),
    "retina": ("skimage", "data", "retina.jpg"),
    "rocket": ("skimage", "data", "rocket.jpg"),
    "brick": ("skimage", "data", "brick.png"),
    "grass": ("skimage", "data", "grass.png"),
    "gravel": ("skimage", "data", "gravel.png"),
    "page": ("skimage", "data", "page.png"),
    "text": ("skimage", "data", "text.png"),
    "coins": ("skimage", "data", "coins.png"),
    "camera": ("skimage", "data", "camera.png"),
    "china": ("sklearn", "datasets/images", "china.jpg"),
    "flower": ("sklearn", "datasets/images", "flower.jpg"),
}
_DISPARITIES = {"motorcycle": ("skimage", "data", "motorcycle_disp.npz")}

PHOTO_NAMES = tuple(_WHEEL_PHOTOS)
DISPARITY_NAMES = tuple(_DISPARITIES)


def _wheel_file(package: str, folder: str, name: str) -> Path:
    return Path(str(files(package))) / folder / name


def photo_files(sources: Iterable[str]) -> list[Path]:
    """The files that recipes' photos are made of, measured disparities among them."""
    files = []
    for source in sources:
        known = [_wheel_file(*table[source]) for table in (_WHEEL_PHOTOS, _DISPARITIES) if source in table]
        files += known or [Path(source)]
    return files


@lru_cache(maxsize=64)
def recipe_photo(source: str) -> NDArray[np.uint8]:
    """What a recipe names, uint8 H×W×3 (read-only): one of the wheels' photos, or the path of a file."""
    photo = read_photo(_wheel_file(*_WHEEL_PHOTOS[source]) if source in _WHEEL_PHOTOS else Path(source))
    photo.flags.writeable = False
    return photo


@lru_cache(maxsize=4)
def wheel_disparity(name: str) -> NDArray[np.float32]:
    """The measured disparity (px, H×W, above 0 where known, else 0) that belongs to a photo.

    Raises:
        DataError: nobody measured one for this photo.
    """
    if name not in _DISPARITIES:
        raise DataError(
            f"photo {name!r} has no measured disparity: only {', '.join(_DISPARITIES)} has; take another depth"
        )
    with np.load(_wheel_file(*_DISPARITIES[name])) as archive:
        disparity = np.asarray(archive["arr_0"], np.float32)
    return np.where(np.isfinite(disparity) & (disparity > 0), disparity, 0).astype(np.float32)
