"""The camera's rotation: pixels turned as EXIF says, and EXIF and XMP told that it was done."""

import re
import struct
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.tiff_tags import SHORT, Tags, byte_order, entry_places

ORIENTATION = 0x0112
UPRIGHT = 1
_SIDES = ((0xA002, 0xA003), (256, 257))  # width and height, as EXIF and as TIFF have them
_EXIF_DIRECTORY = 34665
_NEXT_DIRECTORY = 12  # bytes after the last entry's first one
_XMP_SIDES = {b"PixelXDimension": b"PixelYDimension", b"ImageWidth": b"ImageLength"}
_XMP_SIDES |= {down: across for across, down in _XMP_SIDES.items()}
# What a phone's XMP says of a film, a gain map or a depth map that followed the picture in its file.
_PHONES = rb"(?:GCamera:(?:MotionPhoto|MicroVideo)|hdrgm:|HDRGainMap:|(?:G?Container|Device):(?:Directory|Container))"
_OF_OTHERS = re.compile(
    rb"\s+%b\w*\s*=\s*(?:\"[^\"]*\"|'[^']*')|<(%b\w*)\b[^>]*?(?:/>|>.*?</\1\s*>)\s*" % (_PHONES, _PHONES), re.DOTALL
)


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


def upright_exif(exif: bytes, orientation: int) -> bytes:
    """The EXIF block of a photo that was turned by ``orientation``: it says "upright", all else is in its place.

    So makers' notes, which count their offsets from the block's beginning, stay readable. Width and height change
    places where the picture was turned on its side. The thumbnail, which lies as the pixels lay, is unhooked.
    """
    places = entry_places(exif)
    place = places.get(ORIENTATION)
    if place is None:
        return exif
    order = byte_order(exif)
    turned = bytearray(exif)
    struct.pack_into(order + "HIHH", turned, place + 2, SHORT, 1, UPRIGHT, 0)
    if orientation != UPRIGHT:
        after = max(places.values()) + _NEXT_DIRECTORY
        turned[after : after + 4] = bytes(len(turned[after : after + 4]))
    if 5 <= orientation <= 8:
        inner = places.get(_EXIF_DIRECTORY)
        start = None if inner is None else struct.unpack_from(order + "I", exif, inner + 8)[0]
        for held in (places, entry_places(exif, start) if start is not None else {}):
            for across, down in ((held.get(one), held.get(other)) for one, other in _SIDES):
                if across is not None and down is not None:  # all but the tags' own numbers
                    turned[across + 2 : across + 12] = exif[down + 2 : down + 12]
                    turned[down + 2 : down + 12] = exif[across + 2 : across + 12]
    return bytes(turned)


def upright_tags(tags: Tags, orientation: int) -> Tags:
    """A TIFF's tags, of which width and height in its EXIF directory change places where it was turned on its side."""
    inner = tags.get(_EXIF_DIRECTORY)
    across, down = _SIDES[0]
    if not 5 <= orientation <= 8 or not isinstance(inner, dict) or not inner.keys() >= {across, down}:
        return tags
    return tags | {_EXIF_DIRECTORY: inner | {across: inner[down], down: inner[across]}}


def upright_xmp(xmp: bytes, orientation: int) -> bytes:
    """An XMP block that says "upright", where it says anything of it, and nothing of pictures and films that lay behind
    this one and don't go with it.
    """
    told = re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp)
    if 5 <= orientation <= 8:
        sides = rb"\b(exif|tiff):(PixelXDimension|PixelYDimension|ImageWidth|ImageLength)\b"
        told = re.sub(sides, lambda found: found[1] + b":" + _XMP_SIDES[found[2]], told)
    return _OF_OTHERS.sub(b"", told)
