"""Photos out of files: pixels as they are to be seen, with what else the file says, to be written again.

``decode`` is the one reader of pictures: of photos to be deblurred and of data sets', of what the service and the page
are sent, and of what drift looks at.
"""

import io
import mmap
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from sftdec.photos.attached import attachments
from sftdec.photos.errors import SMALLEST_SIDE, PhotoError
from sftdec.photos.formats import FORMATS, HEAD, PHOTO_FORMATS, recognise
from sftdec.photos.orientation import ORIENTATION, UPRIGHT, orientation_of, upright
from sftdec.photos.photo import Encoding, Photo
from sftdec.photos.pixels import levels_of, opened, png_bits, refuse_unknown
from sftdec.photos.tiff_pixels import Page, disguised, the_page

MAX_MEGAPIXELS = 100.0  # a bomb's few kilobytes may claim any number; a camera's don't claim more
_TWELVE_BITS = 4095  # of 65535: a sixteenth of white, which a photo that isn't black is above somewhere
BRIGHTEST, DARKEST = 16.0, -1.0  # of floats: four times twice as bright as white, or an overshooting filter's


@dataclass(frozen=True)
class Limits:
    """What is taken: files of ``formats``, of ``megapixels`` at most and sides of ``smallest`` px or more.

    ``mend``: what to do about a larger one. ``light``: a photo, whose levels are refused where they can't be light;
    otherwise they may mean anything.
    """

    megapixels: float = MAX_MEGAPIXELS
    mend: str = "allow more with --max-megapixels"
    formats: Collection[str] = PHOTO_FORMATS
    smallest: int = SMALLEST_SIDE
    light: bool = True


class Header(NamedTuple):
    """What a picture says of itself: ``size`` (height, width) in px as it is to be seen, ``bits`` a channel."""

    size: tuple[int, int]
    bits: int


class _Looked(NamedTuple):
    """A file that was looked at and not decoded yet; ``page`` of a TIFF, ``picture`` None where that isn't Pillow's."""

    kind: str
    picture: Image.Image | None
    page: Page | None
    size: tuple[int, int]  # width, height, as it lies


def read_photo_file(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """The photo of a file, turned as its EXIF says.

    Raises:
        PhotoError: as ``decode``.
        OSError: a file that can't be read.
        MemoryError: a file there is no room for.
    """
    return decode(path.read_bytes(), str(path), Limits(max_megapixels))


def decode(data: bytes, name: str, limits: Limits = Limits()) -> Photo:
    """The photo that a file's bytes are, turned as its EXIF says; messages call it ``name``.

    Raises:
        PhotoError: none of the formats, damaged, of several pages, too large, too small, or of colours, a depth or
            values that it wouldn't be sure to read right.
        MemoryError: there is no room for it.
    """
    with _told(name):
        looked = _look(data, io.BytesIO(data), name, limits)
        options = _options(looked, data)
        picture, levels, orientation = _decoded(looked, data)
        attached = attachments(picture, looked.kind, data, orientation, looked.page)
    if limits.light:
        _refuse_odd_light(levels, name)
    levels = np.ascontiguousarray(levels)
    return Photo(levels, Encoding(FORMATS[looked.kind].written, options), attached)


def header(file: BinaryIO, name: str, limits: Limits) -> Header:
    """What a picture says of itself, without decoding it; less than 8 bits count as 8."""
    with _told(name), _mapped(file) as data:
        looked = _look(data, file, name, limits)
        orientation = UPRIGHT
        if looked.page is not None:
            orientation = looked.page.number(ORIENTATION, UPRIGHT)
        elif looked.picture is not None and (looked.kind != "png" or "exif" in looked.picture.info):
            orientation = orientation_of(looked.picture)  # of a PNG, Pillow would decode all to look behind it
        bits = looked.page.bits if looked.page else png_bits(data) if looked.kind == "png" else 8
    width, height = looked.size
    return Header((width, height) if 5 <= orientation <= 8 else (height, width), max(bits, 8))


@contextmanager
def _mapped(file: BinaryIO) -> Iterator[Any]:
    """A file's bytes, of which only those are read that are looked at."""
    if not file.seek(0, io.SEEK_END):
        yield b""
        return
    file.seek(0)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever a decoder can fail with at a damaged file, in a sentence."""
    try:
        yield
    except (PhotoError, MemoryError):  # memory says nothing of the file
        raise
    except Exception as error:
        told = str(error).strip() or type(error).__name__
        raise PhotoError(f"{name}: the picture is corrupt or cut short ({told}); replace the file") from error


def _look(data: bytes, file: IO[bytes], name: str, limits: Limits) -> _Looked:
    kind = recognise(data[:HEAD], len(data), name, limits.formats)
    page = the_page(data, name) if kind == "tiff" else None
    if page is not None and page.data is not data:
        file = io.BytesIO(page.data)
    picture = None if page is not None and not page.is_plain else opened(kind, file, name)
    width, height = page.size if page is not None else picture.size if picture is not None else (0, 0)
    if width * height > limits.megapixels * 1e6:
        raise PhotoError(
            f"{name}: found {width}×{height} px, {width * height / 1e6:.4g} megapixels, expected "
            f"{limits.megapixels:g} at most; {limits.mend}"
        )
    if min(width, height) < limits.smallest:
        raise PhotoError(f"{name}: found {width}×{height} px, expected {limits.smallest} px or more each way")
    if picture is not None:
        refuse_unknown(picture, kind, data, page, name)
    return _Looked(kind, picture, page, (width, height))


def _decoded(looked: _Looked, data: bytes) -> tuple[Image.Image, NDArray[Any], int]:
    """The picture for what it says, its levels H×W×C, upright, and how they were turned."""
    kind, picture, page, _ = looked
    if page is not None:
        orientation = page.number(ORIENTATION, UPRIGHT)
        if picture is None:
            picture, levels = disguised(page)
            return picture, upright(levels, orientation), orientation
        picture.load()  # which turns it
        return picture, levels_of(picture, kind, data), orientation
    assert picture is not None
    picture.load()
    orientation = orientation_of(picture)
    return picture, upright(levels_of(picture, kind, data), orientation), orientation


def _refuse_odd_light(levels: NDArray[Any], name: str) -> None:
    """Refuse what would come out black, white or as noise: levels that aren't light, or not of this range."""
    if levels.dtype == np.uint8:
        return
    light = levels[..., :1] if levels.shape[2] <= 2 else levels[..., :3]
    low, high = light.min(), light.max()
    if levels.dtype == np.uint16:
        if 0 < high <= _TWELVE_BITS:
            raise PhotoError(
                f"{name}: found no level above {high} in 16 bits a channel, expected up to 65535: they look like "
                f"{max(8, int(high).bit_length())} bits; multiply them and save it anew"
            )
    elif not np.isfinite([low, high]).all():  # a minimum passes NaN on
        raise PhotoError(f"{name}: found values that are NaN or infinite, expected 0 to 1; replace them")
    elif low < DARKEST or high > BRIGHTEST:
        raise PhotoError(
            f"{name}: found floats from {low:g} to {high:g}, expected 0 (black) to 1 (white) and highlights a little "
            "above; divide them by what is white"
        )


def _options(looked: _Looked, data: bytes) -> dict[str, Any]:
    """How it was encoded: asked before decoding, which forgets some of it."""
    kind, picture, page, _ = looked
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(picture)
        return {
            "qtables": [list(picture.quantization[key]) for key in sorted(picture.quantization)],
            "subsampling": max(sampling, 0),  # rarer ones (4:4:0, 4:1:1): nothing is lost at 4:4:4
            "progressive": bool(picture.info.get("progressive")),
        }
    if page is not None:
        return {"compression": page.compression, "associated": picture is None and page.number(338) == 1}
    if kind == "avif":
        return {"subsampling": _avif_subsampling(data)}
    if kind == "heic":
        chroma = picture.info.get("chroma") if picture else None
        return {"chroma": chroma if chroma in (420, 422, 444) else 444}
    return {"lossless": _is_lossless_webp(data)} if kind == "webp" else {}


def _avif_subsampling(data: bytes) -> str:
    place = data.find(b"av1C") + 6  # 'av1C', a version, profile and level; then depth and subsampling
    bits = data[place] & 0b1100 if 6 <= place < len(data) else 0
    return {0b1100: "4:2:0", 0b1000: "4:2:2"}.get(bits, "4:4:4")


def _is_lossless_webp(data: bytes) -> bool:
    place = 12
    while place + 8 <= len(data):
        if (name := data[place : place + 4]) in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return False
