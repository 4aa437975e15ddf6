"""A TIFF's pixels of any depth, in and out: for Pillow, which has no modes for them, a grey picture of their bytes.

So its library does what it does well, finding and (de)compressing strips and tiles, and here bytes become samples.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from sftdec.photos.errors import PhotoError
from sftdec.photos.formats import DEVELOP
from sftdec.photos.tiff_tags import Tags, byte_order, directories, directory, longs, numbers, read_tags, shorts

_DIFFERENCED = ("tiff_lzw", "tiff_adobe_deflate", "zstd")  # compressions that gain by it
_BY_BYTES = {1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate", 32946: "tiff_deflate", 32773: "packbits", 50000: "zstd"}
_BY_BYTES[34925] = "lzma"
_BESIDE = (282, 283, 296, 700, 34675)  # dots an inch, XMP and the profile
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_TYPES = {(_UNSIGNED, 8): "u1", (_UNSIGNED, 16): "u2", (_FLOAT, 16): "f2", (_FLOAT, 32): "f4", (_FLOAT, 64): "f8"}
_WHITE_IS_0, _BLACK_IS_0, _RGB = 0, 1, 2
_COLOURS = {4: "a mask", 5: "CMYK", 8: "Lab", 9: "Lab", 10: "Lab", 32844: "LogL", 32845: "LogLuv"}
_SENSORS = (32803, 34892)  # what a camera's sensor saw, not developed
_DNG = 50706
_REDUCED, _MASK = 1, 4  # bits of a page's kind
_BY_ROWS, _BY_PLANES = 1, 2
_ASSOCIATED, _STRAIGHT = 1, 2  # how light goes with alpha: multiplied by it, or not


@dataclass(frozen=True)
class Page:
    """A TIFF's only picture, ``data`` a file in which it is the first; ``described`` as its tags say.

    ``samples`` a pixel, of ``bits`` each; ``kind`` is 1 for whole numbers, 3 for floats.
    """

    data: bytes
    tags: Tags
    samples: int
    bits: int
    kind: int

    def number(self, tag: int, otherwise: int = 0) -> int:
        """The first number of a tag."""
        return next(iter(numbers(self.tags.get(tag))), otherwise)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px, as they lie."""
        return self.number(256), self.number(257)

    @property
    def is_plain(self) -> bool:
        """Whether Pillow has a mode for it, and reads it right."""
        odd = (self.samples > 1 and self.planes > 1) or (self.samples == 2 and self.number(338) == _ASSOCIATED)
        return self.kind == _UNSIGNED and self.bits <= 8 and not odd

    @property
    def compression(self) -> str:
        """Its compression, as Pillow names it where that writes it."""
        known = {**_BY_BYTES, 6: "jpeg", 7: "jpeg"}
        return known.get(self.number(259, 1), "tiff_adobe_deflate")

    @property
    def planes(self) -> int:
        """How many planes its samples lie in: one each, or one with all of them."""
        return self.samples if self.number(284, _BY_ROWS) == _BY_PLANES else 1


def the_page(data: bytes, name: str) -> Page:
    """The picture of a TIFF file; smaller copies of it and masks that lie beside it are passed over.

    Raises:
        PhotoError: a camera's raw file, several pages, or samples that are read by none here; the message calls it
            ``name``.
        ValueError: what is damaged.
    """
    starts = directories(data)
    pages = [read_tags(data, start) for start in starts]
    if not pages:
        raise ValueError("it has no directory")
    _refuse_raw(data, pages, name)
    whole = [number for number, tags in enumerate(pages) if not _is_beside(tags)] or [0]
    if len(whole) > 1:
        raise PhotoError(f"{name}: found several pages, expected one picture; save the one to be deblurred by itself")
    tags = pages[whole[0]]
    if starts[0] != starts[whole[0]]:
        order = "big" if byte_order(data) == ">" else "little"
        data = data[:4] + starts[whole[0]].to_bytes(4, order) + data[8:]  # type: ignore[arg-type]
    bits, kinds = set(numbers(tags.get(258))) or {1}, set(numbers(tags.get(339))) or {_UNSIGNED}
    page = Page(data, tags, next(iter(numbers(tags.get(277))), 1), max(bits), min(kinds))
    _refuse_samples(page, len(bits) == 1 and len(kinds) == 1, name)
    return page


def _is_beside(tags: Tags) -> bool:
    kinds, older = numbers(tags.get(254)), numbers(tags.get(255))
    return any(kind & (_REDUCED | _MASK) for kind in kinds) or older == (2,)


def _refuse_raw(data: bytes, pages: list[Tags], name: str) -> None:
    inner = [read_tags(data, start) for tags in pages for start in numbers(tags.get(330))]
    colours = {number for tags in (*pages, *inner) for number in numbers(tags.get(262))}
    if _DNG in pages[0] or colours & set(_SENSORS):
        what = "a DNG" if _DNG in pages[0] else "a TIFF of its own kind"
        raise PhotoError(f"{name}: found a camera's raw file ({what}), expected a photo; {DEVELOP}")


def _refuse_samples(page: Page, equal: bool, name: str) -> None:
    colours = page.number(262, _BLACK_IS_0)
    what = {_UNSIGNED: "bits", _SIGNED: "bits with a sign", _FLOAT: "bits (floats)"}.get(page.kind, "bits of no kind")
    found = None
    if colours in _COLOURS:
        found = f"colours of the kind {_COLOURS[colours]}"
    elif not equal or (not page.is_plain and (page.kind, page.bits) not in _TYPES):
        found = f"a TIFF of {page.samples} channels of {page.bits} {what}"
    elif not page.is_plain:
        expected = {_WHITE_IS_0: (1, 2), _BLACK_IS_0: (1, 2), _RGB: (3, 4)}.get(colours, ())
        if page.samples not in expected:
            found = f"a TIFF of {page.samples} channels of {page.bits} {what}, of the kind {colours}"
        elif page.samples in (2, 4) and page.number(338, _STRAIGHT) not in (_ASSOCIATED, _STRAIGHT):
            found = f"a TIFF of {page.samples} channels of {page.bits} {what}, of which the last isn't said to be alpha"
        elif page.number(259, 1) not in _BY_BYTES:
            found = f"a TIFF of {page.bits} {what} in the compression {page.number(259)}"
    if found is not None:
        raise PhotoError(
            f"{name}: found {found}, expected grey or RGB, with or without alpha, in 8 or 16 bits a channel or in "
            "floats; convert it first"
        )


def disguised(page: Page) -> tuple[TiffImagePlugin.TiffImageFile, NDArray[Any]]:
    """The page as Pillow opens it, for what else it says, and its samples H×W×C: uint8, uint16 or float32."""
    (width, height), step = page.size, page.bits // 8 * (page.samples // page.planes)
    across = page.number(322)  # px of a tile; 0 for strips
    places, lengths = (324, 325) if across else (273, 279)
    padded = -(-width // across) * across if across else width
    offsets, sizes = numbers(page.tags.get(places)), numbers(page.tags.get(lengths))
    parts = len(offsets) // page.planes
    if not parts or len(offsets) % page.planes or (sizes and len(sizes) != len(offsets)):
        raise ValueError("its strips or tiles aren't all there")
    planes = []
    for number in range(page.planes):
        own = slice(number * parts, (number + 1) * parts)
        tags: Tags = {tag: page.tags[tag] for tag in (257, 259, 266, 278, 323, *_BESIDE) if tag in page.tags}
        tags |= {256: longs(padded * step), 258: shorts(8), 262: shorts(_BLACK_IS_0), places: longs(*offsets[own])}
        if sizes:
            tags[lengths] = longs(*sizes[own])
        if across:
            tags[322] = longs(across * step)
        added, start = directory(tags, len(page.data))
        file = io.BytesIO(page.data)  # copied once, as it is written to
        file.write(b"II*\0" + start.to_bytes(4, "little"))
        file.seek(0, io.SEEK_END)
        file.write(added)
        file.seek(0)
        picture = TiffImagePlugin.TiffImageFile(file)
        stored = np.asarray(picture).reshape(height, -1, (across or width) * step)
        planes.append(_samples(page, stored)[:, :width])
    levels = np.concatenate(planes, axis=2) if len(planes) > 1 else planes[0]
    if page.number(262) == _WHITE_IS_0:
        white = 1 if page.kind == _FLOAT else np.iinfo(levels.dtype).max
        levels = np.concatenate([white - levels[..., :1], levels[..., 1:]], axis=2).astype(levels.dtype)
    return picture, levels.astype(np.float32) if page.kind == _FLOAT else levels


def _samples(page: Page, stored: NDArray[np.uint8]) -> NDArray[Any]:
    """Bytes, rows × tiles × a tile's row of them, as samples H×W×C in this machine's order."""
    rows, tiles, length = stored.shape
    width, channels = page.bits // 8, page.samples // page.planes
    kind, order, predictor = _TYPES[page.kind, page.bits], byte_order(page.data), page.number(317, 1)
    shape = (rows, tiles, length // width // channels, channels)
    if predictor == 3:  # bytes less those before them, the highest of all samples first
        summed = np.cumsum(stored.reshape(rows, tiles, -1, channels), axis=2, dtype=np.uint8)
        stored = np.ascontiguousarray(summed.reshape(rows, tiles, width, -1).swapaxes(2, 3))
        order = ">"
    elif predictor == 2:  # samples, as whole numbers, less those on their left
        whole = np.ascontiguousarray(stored).view(f"{order}u{width}").reshape(shape)
        stored = np.cumsum(whole, axis=2, dtype=f"u{width}")
        order = "="
    elif predictor != 1:
        raise ValueError(f"its predictor is {predictor}")
    values = np.ascontiguousarray(stored).view(np.uint8).view(f"{order}{kind}")
    return values.reshape(rows, -1, channels).astype(f"={kind}", copy=False)


def write_disguised(levels: NDArray[Any], compression: str, associated: bool) -> tuple[bytes, Tags]:
    """A TIFF of levels H×W×C (uint8, uint16 or float32) as bytes, and the tags that say that they are samples.

    ``associated``: they are multiplied by their alpha.
    """
    height, width, channels = levels.shape
    is_float = levels.dtype == np.float32
    differenced = compression in _DIFFERENCED and not is_float
    if differenced:  # TIFF's predictor 2, each sample less the one on its left
        levels = np.concatenate([levels[:, :1], levels[:, 1:] - levels[:, :-1]], axis=1)
    stored = np.ascontiguousarray(levels, levels.dtype.newbyteorder("<")).view(np.uint8).reshape(height, -1)
    written = io.BytesIO()
    Image.fromarray(stored).save(written, "TIFF", compression=compression)
    described: Tags = {
        256: longs(width),
        258: shorts(*[8 * levels.itemsize] * channels),
        262: shorts(_RGB if channels >= 3 else _BLACK_IS_0),
        277: shorts(channels),
        284: shorts(_BY_ROWS),
    }
    if is_float:
        described[339] = shorts(*[_FLOAT] * channels)
    if channels in (2, 4):
        described[338] = shorts(_ASSOCIATED if associated else _STRAIGHT)
    if differenced:
        described[317] = shorts(2)
    return written.getvalue(), described
