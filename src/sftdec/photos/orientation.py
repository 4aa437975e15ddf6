"""The camera's rotation: pixels turned as EXIF says, and EXIF and XMP told that it was done."""

import re
import struct
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.tiff_tags import SHORT, byte_order, entry_places

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
    if orientation in (5, 6, 7, 8):
        levels = levels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        levels = levels[::-1]
    return levels[:, ::-1] if orientation in (2, 3, 6, 7) else levels


def upright_exif(exif: bytes) -> bytes:
    """An EXIF block that says "upright", everything else byte for byte in its place.

    So makers' notes, which count their offsets from the block's beginning, stay readable. The thumbnail, which lies
    as the pixels lay, is unhooked where these were turned.
    """
    place = entry_places(exif).get(ORIENTATION)
    if place is None:
        return exif
    order = byte_order(exif)
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
