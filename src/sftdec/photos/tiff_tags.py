"""The tags of a TIFF file, or of an EXIF block, which is one without pixels: out of one file and into another.

Pillow writes a TIFF's tags by its own types (text cut to ASCII, fractions as floats) and no pixels of 16-bit colour; so
the tags are moved as they are.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

import numpy as np

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a type's value
_WORDS = {5: 4, 10: 4}  # fractions are two numbers each
SUB_DIRECTORIES = {34665: "EXIF", 34853: "GPS", 40965: "interoperability"}
_DEPTH = 3  # a file whose directories lead in circles ends here
SHORT, LONG = 3, 4


@dataclass(frozen=True)
class Entry:
    """One tag's value: its TIFF type, how many, and their bytes, the low one first."""

    kind: int
    count: int
    value: bytes


Tags = dict[int, Union[Entry, "Tags"]]


def shorts(*values: int) -> Entry:
    """A tag of 16-bit numbers."""
    return Entry(SHORT, len(values), struct.pack(f"<{len(values)}H", *values))


def longs(*values: int) -> Entry:
    """A tag of 32-bit numbers."""
    return Entry(LONG, len(values), struct.pack(f"<{len(values)}I", *values))


def undefined(value: bytes, kind: int = 7) -> Entry:
    """A tag of bytes that mean something to others."""
    return Entry(kind, len(value), value)


def read_tags(data: bytes) -> Tags:
    r"""The first directory's tags and those of its EXIF and GPS directories; broken entries are left out.

    ``data`` starts with ``II*\0`` or ``MM\0*``; anything else has no tags.
    """
    order = byte_order(data)
    return _directory(data, struct.unpack_from(order + "I", data, 4)[0], order, _DEPTH) if order else {}


def byte_order(data: bytes) -> str:
    """``struct``'s sign for the order of a TIFF file's bytes; empty for what is none."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "") if len(data) >= 8 else ""


def entry_places(data: bytes) -> dict[int, int]:
    """Where in ``data`` the first directory's entries of 12 bytes stand, by tag."""
    order = byte_order(data)
    if not order:
        return {}
    start = struct.unpack_from(order + "I", data, 4)[0]
    return {struct.unpack_from(order + "H", data, place)[0]: place for place in _places(data, start, order)}


def _places(data: bytes, start: int, order: str) -> list[int]:
    if start + 2 > len(data):
        return []
    count = struct.unpack_from(order + "H", data, start)[0]
    places = (start + 2 + 12 * number for number in range(count))
    return [place for place in places if place + 12 <= len(data)]


def _directory(data: bytes, start: int, order: str, depth: int) -> Tags:
    found: Tags = {}
    for place in _places(data, start, order):
        tag, kind, count = struct.unpack_from(order + "HHI", data, place)
        size = _SIZES.get(kind, 0) * count
        offset = place + 8 if size <= 4 else struct.unpack_from(order + "I", data, place + 8)[0]
        if not size or offset + size > len(data):
            continue
        if tag not in SUB_DIRECTORIES:
            found[tag] = Entry(kind, count, _low_first(data[offset : offset + size], kind, order))
        elif depth and kind in (LONG, 13) and count == 1:
            inner = _directory(data, struct.unpack_from(order + "I", data, offset)[0], order, depth - 1)
            if inner:
                found[tag] = inner
    return found


def _low_first(value: bytes, kind: int, order: str) -> bytes:
    width = _WORDS.get(kind, _SIZES[kind])
    return value if order == "<" or width == 1 else np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()


def tiff_of(tags: Mapping[int, "Entry | Tags"]) -> bytes:
    """A TIFF file without pixels: an EXIF block."""
    data = bytearray(b"II*\0\0\0\0\0")
    add_directory(data, tags)
    return bytes(data)


def add_directory(data: bytearray, tags: Mapping[int, "Entry | Tags"]) -> None:
    """Append a directory to a TIFF file (low byte first) and make it the file's only one."""
    struct.pack_into("<I", data, 4, _append(data, tags))


def _append(data: bytearray, tags: Mapping[int, "Entry | Tags"]) -> int:
    entries = bytearray()
    for tag, entry in sorted(tags.items()):
        if isinstance(entry, dict):
            entry = longs(_append(data, entry))
        value = entry.value.ljust(4, b"\0")
        if len(entry.value) > 4:
            data.extend(bytes(len(data) % 2))
            value = struct.pack("<I", len(data))
            data.extend(entry.value)
        entries += struct.pack("<HHI", tag, entry.kind, entry.count) + value
    data.extend(bytes(len(data) % 2))
    start = len(data)
    data.extend(struct.pack("<H", len(tags)) + entries + bytes(4))
    return start
