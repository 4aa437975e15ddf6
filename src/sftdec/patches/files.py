"""The files of a store of N patches of S px: one uncompressed NumPy array a part, made to be memory-mapped.

``blurred.npy`` and ``sharp.npy`` are uint8 N×S×S×3, ``defocus.npy`` is uint16 N×S×S. All rows have one size, so the
files are laid out first and their rows are filled in place, in any order, by any process.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from sftdec.patches.extract import Patch
from sftdec.runtime import DataError, atomic_path

PARTS = {"blurred": ("|u1", (3,)), "sharp": ("|u1", (3,)), "defocus": ("<u2", ())}  # type and channels of a pixel


@dataclass(frozen=True)
class Blank:
    """A store's files that are being filled. ``places``: the path of each part, and the byte where its rows begin."""

    places: Mapping[str, tuple[Path, int]]

    def fill(self, patches: Iterable[tuple[int, Patch]]) -> None:
        """Write patches into their rows; other processes may write other rows at the same time."""
        with ExitStack() as stack:
            files = {part: stack.enter_context(path.open("r+b")) for part, (path, _) in self.places.items()}
            for row, patch in patches:
                for part, file in files.items():
                    levels = np.ascontiguousarray(getattr(patch, part))
                    file.seek(self.places[part][1] + row * levels.nbytes)
                    file.write(levels.data)

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        for path, _ in self.places.values():
            with path.open("rb") as file:
                os.fsync(file.fileno())


@contextmanager
def lay_out(root: Path, rows: int, size: int) -> Iterator[Blank]:
    """Files of ``rows`` patches of ``size`` px that are all zero; they take their places when the block ends well.

    Raises:
        OSError: the disk hasn't room for them; the old files stay.
    """
    with ExitStack() as stack:
        places = {}
        for part, (kind, channels) in PARTS.items():
            path = stack.enter_context(atomic_path(root / f"{part}.npy"))
            places[part] = path, _reserve(path, kind, (rows, size, size, *channels))
        yield Blank(places)


def _reserve(path: Path, kind: str, shape: tuple[int, ...]) -> int:
    """Write an array's header and take the room of its content; returns where that begins."""
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        start = file.tell()
        length = start + int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        file.truncate(length)
        if hasattr(os, "posix_fallocate"):  # a full disk is found now, and not after an hour of extraction
            os.posix_fallocate(file.fileno(), 0, length)
    return start


def map_part(root: Path, part: str, rows: int, size: int) -> "np.memmap[Any, Any]":
    """One part of a store of ``rows`` patches of ``size`` px, read-only.

    Raises:
        DataError: a file that is missing, cut short or of another store.
    """
    path, (kind, channels) = root / f"{part}.npy", PARTS[part]
    try:
        levels = npy.open_memmap(str(path), mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the file is missing or cut short ({error}); run dvc repro -f patches") from error
    expected = (rows, size, size, *channels)
    if levels.shape != expected or levels.dtype != np.dtype(kind):
        raise DataError(
            f"{path}: found {levels.dtype} of {levels.shape}, the index says {np.dtype(kind)} of {expected}; "
            "run dvc repro -f patches"
        )
    return levels
