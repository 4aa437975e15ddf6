"""Pictures on disk: 8-bit RGB photos and 16-bit defocus maps."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sftdec.runtime import DataError, atomic_path

MAP_LEVELS = 65535  # a stored defocus map's level for 1.0


@dataclass(frozen=True)
class Header:
    """What a picture says of itself: ``size`` (height, width) in px as it is to be seen, ``bits`` a channel."""

    size: tuple[int, int]
    bits: int


def _opened(path: Path, decode: bool) -> Image.Image:
    try:
        image = Image.open(path)
        if decode:
            image.load()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such picture; restore it, or take it out of the data set") from None
    except UnidentifiedImageError:
        size = os.path.getsize(path)
        raise DataError(
            f"{path}: not a picture that can be read ({size} bytes); expected PNG, JPEG, TIFF or WebP: "
            "replace the file or take it out of the data set"
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: the picture is corrupt or cut short ({error}); replace the file") from error
    return image


def _bits(image: Image.Image) -> int:
    """Bits a channel of the file, which the mode that Pillow decodes to doesn't tell for colour."""
    tiles = getattr(image, "tile", None)
    raw = tiles[0][3] if tiles else image.mode
    raw = raw[0] if isinstance(raw, tuple) and raw else raw
    return 16 if image.mode.startswith("I") or "16" in str(raw) else 8


def picture_header(path: Path) -> Header:
    """Size and depth of a picture, without decoding it.

    Raises:
        DataError: the file is missing, empty or no picture.
    """
    with _opened(path, decode=False) as image:
        (width, height), bits = image.size, _bits(image)  # bits first: asking for EXIF may decode, and forget them
        return Header((width, height) if _is_turned(image) else (height, width), bits)


def _is_turned(image: Image.Image) -> bool:
    """Whether EXIF swaps the sides. A PNG without EXIF isn't asked: Pillow would decode all of it to look behind."""
    if image.format == "PNG" and "exif" not in image.info:
        return False
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1)) >= 5
    except (OSError, SyntaxError, ValueError, TypeError):
        return False  # a broken EXIF block says nothing; a broken picture fails when it is read


def open_picture(path: Path) -> Image.Image:
    """The picture of a file, decoded.

    Raises:
        DataError: the file is missing, corrupt, cut short or no picture.
    """
    return _opened(path, decode=True)


def read_photo(path: Path) -> NDArray[np.uint8]:
    """A photo as sRGB grey levels, uint8 H×W×3, turned as its EXIF says; grey is repeated, alpha dropped, 16 bits
    a channel are rounded to 8.

    Raises:
        DataError: the file is missing, corrupt, cut short or no picture.
    """
    with _opened(path, decode=False) as image:
        deep = _bits(image) == 16 and not image.mode.startswith("I")
    picture = open_picture(path)
    return _deep_levels(path) if deep else rgb_levels(_upright(picture))


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, TypeError):
        return picture


def _deep_levels(path: Path) -> NDArray[np.uint8]:
    """16-bit colour, which Pillow would cut to 8 bits instead of rounding; OpenCV turns it as its EXIF says."""
    import cv2

    found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    if found is None:
        raise DataError(f"{path}: the picture is corrupt or cut short (16 bits a channel); replace the file")
    return eight_bits(found)


def rgb_levels(picture: Image.Image) -> NDArray[np.uint8]:
    """A decoded picture as uint8 H×W×3; grey is repeated (16-bit grey scaled, not clipped), alpha dropped."""
    if picture.mode.startswith("I"):
        grey = eight_bits(np.clip(np.asarray(picture), 0, MAP_LEVELS))
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


def eight_bits(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Levels of 8 or 16 bits, rounded to 8."""
    return levels if levels.dtype == np.uint8 else np.rint(levels / np.float32(257)).astype(np.uint8)


def read_defocus(path: Path) -> NDArray[np.float32]:
    """A defocus map, float32 H×W in 0..1, from a 16-bit (or 8-bit) grey PNG.

    Raises:
        DataError: the file is missing, corrupt, or not grey.
    """
    image = open_picture(path)
    levels = np.asarray(image)
    if levels.ndim != 2:
        raise DataError(
            f"{path}: a defocus map must be a grey picture, found mode {image.mode}; save it as 16-bit grey"
        )
    return (levels / (255 if levels.dtype == np.uint8 else MAP_LEVELS)).astype(np.float32)


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
    """Write uint8 H×W×3 or uint16 H×W as PNG: whole or not at all, the same bytes for the same levels."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_bytes(levels, effort=1))


def png_bytes(picture: Image.Image | NDArray[Any], profile: bytes | None = None, effort: int = 6) -> bytes:
    """A PNG of a picture, or of levels uint8 H×W(×C) or uint16 H×W, with an ICC profile where there is one.

    ``effort``: 1 to 9, how hard it tries to be small.
    """
    written = io.BytesIO()
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(written, "PNG", compress_level=effort, icc_profile=profile)
    return written.getvalue()
