"""The tags of a TIFF file, or of an EXIF block, which is one without pixels: out of one file and into another.

Pillow writes a TIFF's tags by its own types (text cut to ASCII, fractions as floats); so they are moved as they are.
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


def numbers(entry: "Entry | Tags | None") -> tuple[int, ...]:
    """A tag's whole numbers above 0; none of what is no such tag."""
    width = {1: 1, SHORT: 2, LONG: 4, 13: 4}.get(entry.kind, 0) if isinstance(entry, Entry) else 0
    return tuple(np.frombuffer(entry.value, f"<u{width}").tolist()) if isinstance(entry, Entry) and width else ()


def read_tags(data: bytes, start: int | None = None) -> Tags:
    r"""A directory's tags and those of its EXIF and GPS directories; broken entries are left out.

    ``data`` starts with ``II*\0`` or ``MM\0*``; anything else has no tags. ``start``: where the directory is; None: the
    first one.
    """
    order = byte_order(data)
    first = struct.unpack_from(order + "I", data, 4)[0] if order else 0
    return _directory(data, first if start is None else start, order, _DEPTH) if order else {}


def directories(data: bytes) -> list[int]:
    """Where a TIFF file's directories start, one a page, in their order."""
    order, starts = byte_order(data), list[int]()
    place = 4
    while order and place + 4 <= len(data):
        start = struct.unpack_from(order + "I", data, place)[0]
        if not start or start in starts or start + 2 > len(data):
            break
        starts.append(start)
        place = start + 2 + 12 * struct.unpack_from(order + "H", data, start)[0]
    return starts


def byte_order(data: bytes) -> str:
    """``struct``'s sign for the order of a TIFF file's bytes; empty for what is none."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "") if len(data) >= 8 else ""


def entry_places(data: bytes, start: int | None = None) -> dict[int, int]:
    """Where in ``data`` a directory's entries of 12 bytes stand, by tag; ``start`` as of ``read_tags``."""
    order = byte_order(data)
    if not order:
        return {}
    start = struct.unpack_from(order + "I", data, 4)[0] if start is None else start
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
    added, start = directory(tags, len(data))
    data.extend(added)
    struct.pack_into("<I", data, 4, start)


def directory(tags: Mapping[int, "Entry | Tags"], length: int) -> tuple[bytes, int]:
    """What to append to a TIFF file of ``length`` bytes so that it has another directory, and where that starts."""
    data = bytearray()
    start = _append(data, tags, length)
    return bytes(data), start


def _append(data: bytearray, tags: Mapping[int, "Entry | Tags"], before: int) -> int:
    entries = bytearray()
    for tag, entry in sorted(tags.items()):
        if isinstance(entry, dict):
            entry = longs(_append(data, entry, before))
        value = entry.value.ljust(4, b"\0")
        if len(entry.value) > 4:
            data.extend(bytes((before + len(data)) % 2))
            value = struct.pack("<I", before + len(data))
            data.extend(entry.value)
        entries += struct.pack("<HHI", tag, entry.kind, entry.count) + value
    data.extend(bytes((before + len(data)) % 2))
    start = before + len(data)
    data.extend(struct.pack("<H", len(tags)) + entries + bytes(4))
    return start
