"""A shard: one uncompressed Arrow IPC file with a record batch of patches, made to be memory-mapped.

A row is one patch: three fixed-size binaries (blurred and sharp S×S×3 uint8, defocus S×S uint16). All rows have one
size, so a shard is laid out first and its rows are filled in place, in any order, by any process.
"""

import io
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from sftdec.patches.extract import Patch

PARTS = ("blurred", "sharp", "defocus")
LAYOUT = "1"  # of a shard; to be raised with every change of what its bytes mean
_LONG = 1 << 16  # bytes; Arrow's own metadata is far shorter


def shard_schema(size: int) -> pa.Schema:
    """The columns of patches of ``size`` px."""
    widths = (size * size * 3, size * size * 3, size * size * 2)
    fields = [pa.field(part, pa.binary(width), nullable=False) for part, width in zip(PARTS, widths, strict=True)]
    return pa.schema(fields, metadata={"size": str(size), "layout": LAYOUT})


@dataclass(frozen=True)
class Layout:
    """Where the rows of a shard begin: byte ``offsets`` and ``widths`` of its columns."""

    offsets: Mapping[str, int]
    widths: Mapping[str, int]

    def fill(self, file: BinaryIO, row: int, patch: Patch) -> None:
        """Write a patch into a row of a shard that is open for update."""
        for part in PARTS:
            file.seek(self.offsets[part] + row * self.widths[part])
            file.write(np.ascontiguousarray(getattr(patch, part)).data)


class _Holes(io.FileIO):
    """A new file in which long runs of zeros aren't written, but skipped: they cost no time."""

    def write(self, data: Any) -> int:
        levels = np.frombuffer(data, np.uint8)
        if len(levels) < _LONG or levels.any():
            return super().write(data)
        self.seek(len(levels), os.SEEK_CUR)
        return len(levels)


def lay_out(path: Path, rows: int, size: int) -> Layout:
    """Make a shard of ``rows`` patches of ``size`` px that are all zero, and take its room on the disk.

    Raises:
        OSError: the disk is full.
    """
    schema = shard_schema(size)
    widths = {field.name: field.type.byte_width for field in schema}
    zeros = pa.py_buffer(np.zeros(rows * max(widths.values()), np.uint8))  # never written to: takes no memory
    columns = [pa.Array.from_buffers(field.type, rows, [None, zeros], 0) for field in schema]
    with _Holes(str(path), "w+") as sink:
        with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        length = sink.tell()
        if hasattr(os, "posix_fallocate"):  # a full disk is found now, and not after an hour of extraction
            os.posix_fallocate(sink.fileno(), 0, length)
    return Layout(_offsets(path), widths)


def _offsets(path: Path) -> dict[str, int]:
    mapped, batch = map_shard(path)
    start = pa.py_buffer(mapped).address
    return {name: batch.column(name).buffers()[1].address - start for name in PARTS}


def map_shard(path: Path) -> tuple[mmap.mmap, pa.RecordBatch]:
    """The memory map of a shard, and its record batch, whose buffers are views of the map.

    Raises:
        OSError: there is no such file.
        ValueError: the file is empty, cut short or no shard (``pyarrow.ArrowInvalid`` is one).
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped, pa.ipc.open_file(pa.py_buffer(mapped)).get_batch(0)
