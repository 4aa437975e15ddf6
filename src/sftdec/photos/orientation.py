"""The camera's rotation: pixels turned as EXIF says, and EXIF and XMP told that it was done."""

import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.tiff_tags import SHORT, entry_places

ORIENTATION = 0x0112
UPRIGHT = 1
_NEXT_DIRECTORY = 12  # bytes after the last entry's first one


def orientation_of(picture: Image.Image) -> int:
    """What a picture's EXIF or XMP says of how it is to be turned."""
    try:
        return int(picture.getexif().get(ORIENTATION, UPRIGHT))
    except Exception:  # a broken EXIF block says nothing
        return UPRIGHT


def upright(levels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels H×W×C as they are to be seen; orientations are EXIF's 1 to 8, others turn nothing."""
    match orientation:
        case 2:
            return levels[:, ::-1]
        case 3:
            return levels[::-1, ::-1]
        case 4:
            return levels[::-1]
        case 5:
            return levels.swapaxes(0, 1)
        case 6:
            return np.rot90(levels, -1)
        case 7:
            return levels[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(levels)
    return levels


def upright_exif(exif: bytes) -> bytes:
    """An EXIF block that says "upright", everything else byte for byte in its place.

    So makers' notes, which count their offsets from the block's beginning, stay readable. The thumbnail, which lies
    as the pixels lay, is unhooked where these were turned.
    """
    place = entry_places(exif).get(ORIENTATION)
    if place is None:
        return exif
    order = "<" if exif[:2] == b"II" else ">"
    turned = bytearray(exif)
    before = struct.unpack_from(order + "H", exif, place + 8)[0]
    struct.pack_into(order + "HIHH", turned, place + 2, SHORT, 1, UPRIGHT, 0)
    if before != UPRIGHT:
        after = max(entry_places(exif).values()) + _NEXT_DIRECTORY
        turned[after : after + 4] = bytes(len(turned[after : after + 4]))
    return bytes(turned)


def upright_xmp(xmp: bytes) -> bytes:
    """An XMP block that says "upright", where it says anything of it."""
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)
