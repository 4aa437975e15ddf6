"""Pictures on disk: 8-bit RGB photos and 16-bit defocus maps."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.errors import PhotoError
from sftdec.photos.formats import FORMATS
from sftdec.photos.photo import Photo, eight_bits
from sftdec.photos.photo_file import Header, Limits, decode, header
from sftdec.photos.png_chunks import deep_png, profile_chunk, with_chunks
from sftdec.runtime import DataError, atomic_path

MAP_LEVELS = 65535  # a stored defocus map's level for 1.0
_PHOTOS = Limits(megapixels=180, mend="shrink it", smallest=1)
_VALUES = replace(_PHOTOS, light=False, formats=tuple(FORMATS))
_BEYOND = 1 / 510  # how far floats may be out of 0..1: half a level of 8 bits


def picture_header(path: Path) -> Header:
    """Size and depth of a picture, without decoding it.

    Raises:
        DataError: the file is missing, or one that ``read_photo`` refuses, where that can be seen.
    """
    with _of_a_data_set(path), path.open("rb") as file:
        return header(file, str(path), _PHOTOS)


def read_photo(path: Path) -> NDArray[np.uint8]:
    """A photo as sRGB grey levels, uint8 H×W×3, turned as its EXIF says; grey is repeated, alpha dropped, 16 bits
    a channel and floats are rounded to 8.

    Raises:
        DataError: the file is missing, no picture, damaged, or one that ``decode`` refuses, or floats beyond 0..1.
    """
    return eight_bits(read_picture(path).colour)


def read_picture(path: Path) -> Photo:
    """As ``read_photo``, in the depth that it has, with what its file says beside its pixels."""
    with _of_a_data_set(path):
        photo = decode(path.read_bytes(), str(path), _PHOTOS).straight()
    if photo.levels.dtype == np.float32:
        _within_0_and_1(photo.colour_as_stored, path, "divide them by what is white, or save 16 bits")
    return photo


def read_levels(path: Path) -> NDArray[Any]:
    """The levels of a picture of values, H×W×C: uint8, uint16 or float32, whatever they mean; also of a PFM file.

    Raises:
        DataError: the file is missing, no picture, or damaged.
    """
    with _of_a_data_set(path):
        return decode(path.read_bytes(), str(path), _VALUES).levels


def read_values(path: Path) -> NDArray[Any]:
    """As ``read_levels``, of a grey picture, H×W.

    Raises:
        DataError: the file is missing, damaged, or not grey.
    """
    levels = read_levels(path)
    if levels.shape[2] != 1:
        what = {2: "grey with alpha", 3: "colours", 4: "colours with alpha"}[levels.shape[2]]
        raise DataError(f"{path}: found {what}, expected a grey picture of values; save it as 16-bit grey")
    return levels[..., 0]


def read_defocus(path: Path) -> NDArray[np.float32]:
    """A defocus map, float32 H×W in 0..1, from a grey picture of 16 or 8 bits, or of floats in 0..1.

    Raises:
        DataError: the file is missing, damaged, not grey, or holds floats beyond 0..1.
    """
    levels = read_values(path)
    if levels.dtype == np.float32:
        _within_0_and_1(levels, path, "divide sigma by sigma_max")
        return np.asarray(np.clip(levels, 0, 1))
    return np.asarray((levels / np.iinfo(levels.dtype).max).astype(np.float32))


def _within_0_and_1(values: NDArray[Any], path: Path, mend: str) -> None:
    low, high = float(values.min()), float(values.max())
    if not (low >= -_BEYOND and high <= 1 + _BEYOND):  # nor NaN
        raise DataError(f"{path}: found floats from {low:g} to {high:g}, expected 0 to 1: {mend}")


@contextmanager
def _of_a_data_set(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such picture; restore it, or take it out of the data set") from None
    except PhotoError as error:
        mend = ", or" if ";" in str(error) else "; replace it, or"
        raise DataError(f"{error}{mend} take it out of the data set") from error
    except OSError as error:
        raise DataError(f"{path}: the picture can't be read ({error.strerror or error}); replace the file") from error


def defocus_levels(defocus: NDArray[np.floating]) -> NDArray[np.uint16]:
    """A defocus map (0..1, any shape) as 16-bit levels.

    Raises:
        DataError: NaN, or a value outside 0..1.
    """
    low, high = float(defocus.min()), float(defocus.max())
    if not np.isfinite([low, high]).all():
        raise DataError(f"the defocus map holds {int((~np.isfinite(defocus)).sum())} values that are NaN or infinite")
    if low < 0 or high > 1:
        raise DataError(f"the defocus map spans {low:.4f}..{high:.4f}, expected 0..1: divide sigma by sigma_max")
    levels = np.empty(defocus.shape, np.uint16)
    for row, values in enumerate(defocus):  # by rows: a whole copy would be as large as the map
        levels[row] = np.rint(values * MAP_LEVELS)
    return levels


def write_picture(path: Path, levels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write uint8 H×W×3 or uint16 H×W as PNG, or uint8 as WebP without loss where the name ends so: whole or not at
    all, the same bytes for the same levels.
    """
    packed = path.suffix == ".webp"
    with atomic_path(path) as temporary:
        temporary.write_bytes(webp_bytes(levels, quality=30, method=1) if packed else png_bytes(levels, effort=1))


def webp_bytes(levels: NDArray[Any], quality: int = 0, method: int = 0) -> bytes:
    """A WebP of uint8 H×W×3 without loss; the higher, up to 100 and 6, the smaller and the longer it takes."""
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(written, "WEBP", lossless=True, quality=quality, method=method)
    return written.getvalue()


def png_bytes(picture: Image.Image | NDArray[Any], profile: bytes | None = None, effort: int = 6) -> bytes:
    """A PNG of a picture, or of levels uint8 H×W(×C) or uint16 H×W(×C), with an ICC profile where there is one.

    ``effort``: 1 to 9, how hard it tries to be small.
    """
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint16 and picture.ndim == 3:
        return with_chunks(deep_png(picture, effort), [profile_chunk(profile)] if profile else [])
    written = io.BytesIO()
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(written, "PNG", compress_level=effort, icc_profile=profile)
    return written.getvalue()
