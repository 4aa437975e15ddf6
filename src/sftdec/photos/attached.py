"""What a photo's file says beside its pixels, out of the file."""

import re
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from sftdec.photos.jpeg_segments import EXIF_HEAD, carried_segments
from sftdec.photos.orientation import ORIENTATION, upright_exif, upright_tags, upright_xmp
from sftdec.photos.photo import Attachments
from sftdec.photos.png_chunks import carried_chunks
from sftdec.photos.tiff_pixels import Page
from sftdec.photos.tiff_tags import tiff_of

# A TIFF's tags that say how its pixels lie, or are kept apart: resolution by its unit, XMP, the profile.
PIXEL_TAGS = frozenset((*range(254, 267), *range(273, 282), 284, 290, 291, 292, 293, 317, *range(320, 326), 330, 332))
PIXEL_TAGS |= frozenset((*range(338, 350), *range(512, 522), *range(529, 533), 559))
APART_TAGS = frozenset((ORIENTATION, 700, 34675))
_JP2_PROFILE = re.compile(rb"(....)colr\x02..", re.DOTALL)  # a box with its length before it


def attachments(picture: Image.Image, kind: str, data: bytes, orientation: int, page: Page | None) -> Attachments:
    """What a file says beside its pixels, which were turned as ``orientation`` says.

    ``picture``: as Pillow has opened it; ``page``: of a TIFF.
    """
    info = picture.info
    orientation = int(info.get("original_orientation") or orientation)  # a HEIC's decoder has turned it
    xmp, dpi = info.get("xmp"), info.get("dpi")
    if page is not None:
        tags = upright_tags(page.tags, orientation)
        kept = {tag: entry for tag, entry in tags.items() if tag not in PIXEL_TAGS | APART_TAGS}
        exif = tiff_of(kept) if kept else None
    else:
        exif = _exif(picture, orientation)
    if dpi is not None and not all(np.isfinite(float(each)) and 0 < float(each) < 1e6 for each in dpi):
        dpi = None
    across, down = (float(dpi[0]), float(dpi[1])) if dpi is not None else (0.0, 0.0)
    segments = picture.applist if isinstance(picture, JpegImagePlugin.JpegImageFile) else []
    turned = (down, across) if orientation >= 5 and page is None else (across, down)  # a TIFF's tags say it, too
    return Attachments(
        profile=info.get("icc_profile") or (_jp2_profile(data) if kind == "jp2" else None),
        exif=exif,
        xmp=upright_xmp(xmp, orientation) if isinstance(xmp, bytes) else None,
        dpi=turned if dpi is not None else None,
        chunks=carried_chunks(data) if kind == "png" else (),
        segments=carried_segments(segments, exif, orientation),
    )


def _exif(picture: Image.Image, orientation: int) -> bytes | None:
    """The EXIF block as it is in the file; one that a PNG hides in text is written anew."""
    block: Any = picture.info.get("exif")
    if not isinstance(block, bytes):
        if "Raw profile type exif" not in picture.info:
            return None
        block = picture.getexif().tobytes()
    return upright_exif(block.removeprefix(EXIF_HEAD), orientation) or None


def _jp2_profile(data: bytes) -> bytes | None:
    found = _JP2_PROFILE.search(data[:1_000_000])
    return data[found.end() : found.start() + int.from_bytes(found[1])] if found else None
