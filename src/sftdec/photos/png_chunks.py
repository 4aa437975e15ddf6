"""PNG files by their chunks: 16 bits a channel, and what a PNG carries beside its pixels."""

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
_SUB = 1  # the filter: each sample less the one on its left
_CARRIED = frozenset({b"cHRM", b"gAMA", b"sRGB", b"cICP", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_LEVEL = 6
Chunk = tuple[bytes, bytes]


def chunks(data: bytes) -> Iterator[Chunk]:
    """A PNG's chunks, each its name and content; ends where the file is cut."""
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length


def carried_chunks(data: bytes) -> tuple[Chunk, ...]:
    """Colour, text and time of a PNG: what is neither pixels nor told elsewhere (EXIF, XMP, dots per inch)."""
    told = (XMP_KEYWORD, b"Raw profile type exif\0", b"Raw profile type APP1\0")
    return tuple((name, content) for name, content in chunks(data) if name in _CARRIED and not content.startswith(told))


def with_chunks(png: bytes, added: Iterable[Chunk]) -> bytes:
    """A PNG with chunks added before its pixels, and none but these."""
    head, body = [], []
    for name, content in chunks(png):
        if name == b"IHDR":
            head.append((name, content))
        elif name in (b"IDAT", b"IEND"):
            body.append((name, content))
    return SIGNATURE + b"".join(_packed(name, content) for name, content in (*head, *added, *body))


def deep_png(levels: NDArray[np.uint16], effort: int = _LEVEL) -> bytes:
    """A PNG of uint16 H×W×C: grey, grey and alpha, RGB or RGBA, which Pillow can't write."""
    height, width, channels = levels.shape
    rows = levels.astype(">u2").view(np.uint8).reshape(height, -1)
    step = 2 * channels
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    pixels = zlib.compress(filtered.data, effort)
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(_packed(name, content) for name, content in parts)


def dots_chunk(dpi: tuple[float, float]) -> Chunk:
    """``pHYs``: dots an inch, as dots a metre."""
    across, down = (int(dots / 0.0254 + 0.5) for dots in dpi)
    return b"pHYs", struct.pack(">IIB", across, down, 1)


def profile_chunk(profile: bytes) -> Chunk:
    """``iCCP``: an ICC profile."""
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)


def xmp_chunk(xmp: bytes) -> Chunk:
    """``iTXt`` with XMP in it."""
    return b"iTXt", XMP_KEYWORD + bytes(4) + xmp


def _packed(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
