"""Masks out of files: grey pictures of a photo's size, white where it is to be changed."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.photos.errors import PhotoError
from sftdec.photos.photo_file import MAX_MEGAPIXELS, Limits, decode

_SAVE = "save it as plain grey (PNG or TIFF), without alpha and profile"


def read_mask(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[Any]:
    """The mask of a picture's file, H×W of uint8 or uint16; see ``decode_mask``."""
    return decode_mask(path.read_bytes(), str(path), max_megapixels)


def decode_mask(data: bytes, name: str, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[Any]:
    """The mask that a file's bytes are, H×W of uint8 or uint16, turned as its EXIF says; messages call it ``name``.

    A level is a share, so nothing is taken that would leave it open which: colours, alpha, or a profile, which gives
    levels a meaning of their own.

    Raises:
        PhotoError: no photo (see ``photos.decode``), colours, alpha, a profile, or nothing but black.
    """
    photo = decode(data, name, Limits(max_megapixels))
    levels, grey = photo.levels, photo.levels[..., 0]
    opaque = np.iinfo(levels.dtype).max if np.issubdtype(levels.dtype, np.integer) else 1
    if photo.has_alpha and (levels[..., -1] != opaque).any():
        raise PhotoError(f"{name}: found a mask with alpha, expected grey levels; {_SAVE}")
    if not photo.is_grey and not (levels[..., :3] == levels[..., :1]).all():
        raise PhotoError(f"{name}: found a mask in colours, expected grey levels; {_SAVE}")
    if photo.attachments.profile is not None:
        raise PhotoError(f"{name}: found a mask with a colour profile, expected plain levels; {_SAVE}")
    if not grey.any():
        raise PhotoError(f"{name}: found a mask that is all black, expected white where the photo is to be deblurred")
    return np.ascontiguousarray(grey)
