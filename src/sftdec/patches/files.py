"""The files of a store: one a scene, with the part of its photo that patches lie in, in tiles packed without loss.

``photos/SCENE.arrow`` is an Arrow file of the columns ``blurred``, ``sharp`` and ``defocus``: the photo's tiles row by
row, each a lossless WebP, or null where no patch lies. What patches share lies there once, any window is read from the
few tiles that it touches, and a new photo changes no other's file.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sftdec.patches.extract import Patch
from sftdec.photos import webp_bytes
from sftdec.runtime import DataError, atomic_path

PARTS = {"blurred": (np.uint8, (3,)), "sharp": (np.uint8, (3,)), "defocus": (np.uint16, ())}  # of a pixel
FOLDER = "photos"
_TILE = 128  # px a side at most; larger ones pack no better, and more of them is read in vain
_END = b"ARROW1"  # of a whole file
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]


def photo_file(root: Path, scene: str) -> Path:
    """Where a scene's part of the store lies."""
    return root / FOLDER / f"{scene}.arrow"


def write_photo(root: Path, patches: Sequence[Patch]) -> None:
    """Write the patches of one scene, all of one size; equal patches give equal bytes, in any order.

    Raises:
        ValueError: patches that overlap and differ there.
        OSError: the disk is full; an old file stays.
    """
    size, scene = len(patches[0].defocus), patches[0].scene
    side = min(_TILE, size)
    shape = tuple(max(place) + size for place in zip(*((patch.top, patch.left) for patch in patches), strict=True))
    touched = np.zeros([-(-length // side) for length in shape], bool)
    for patch in patches:
        touched[np.ix_(_touched(patch.top, size, side), _touched(patch.left, size, side))] = True
    columns = []
    for part, (kind, channels) in PARTS.items():
        whole = np.zeros((*shape, *channels), kind)
        for patch in patches:
            _window(whole, patch)[:] = getattr(patch, part)
        if not all(np.array_equal(_window(whole, patch), getattr(patch, part)) for patch in patches):
            raise ValueError(f"{scene}: patches that overlap differ there, so that they are of two photos")
        tiles = (whole[row * side :, column * side :][:side, :side] for row, column in np.ndindex(touched.shape))
        packed = [_packed(tile) if there else None for tile, there in zip(tiles, touched.flat, strict=True)]
        columns.append(pa.array(packed, pa.binary()))
    written = pa.BufferOutputStream()
    table = pa.table(columns, list(PARTS)).replace_schema_metadata({"side": str(side), "across": str(len(touched[0]))})
    with pa.ipc.new_file(written, table.schema) as writer:
        writer.write_table(table)
    with atomic_path(photo_file(root, scene)) as temporary:
        temporary.write_bytes(written.getvalue())


def read_patch(root: Path, scene: str, top: int, left: int, size: int) -> Triple:
    """Blurred, sharp (uint8 S×S×3) and defocus (uint16 S×S) of the window at a place that a patch was written to.

    Raises:
        DataError: a file that is missing, damaged or of another store.
    """
    path = photo_file(root, scene)
    found = [np.empty((size, size, *channels), kind) for kind, channels in PARTS.values()]
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).get_batch(0)
            side, across = (int(table.schema.metadata[key]) for key in (b"side", b"across"))
            for row in _touched(top, size, side):
                for column in _touched(left, size, side):
                    rows, columns = _shared(row * side, top, size, side), _shared(column * side, left, size, side)
                    for levels, packed in zip(found, table.columns, strict=True):
                        tile = _unpacked(packed[row * across + column].as_buffer(), levels)
                        levels[rows[0], columns[0]] = tile[rows[1], columns[1]]
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, cv2.error) as error:
        raise DataError(
            f"{path}: the file is missing, damaged or of another store ({error}); run dvc repro -f patches"
        ) from error
    return found[0], found[1], found[2]


def refuse_incomplete(root: Path, scenes: Iterable[str]) -> None:
    """Stop at a scene whose file is missing or cut short; none is read for it but its end."""
    for scene in scenes:
        path = photo_file(root, scene)
        try:
            with path.open("rb") as file:
                file.seek(-len(_END), io.SEEK_END)
                whole = file.read() == _END
        except OSError:
            whole = False
        if not whole:
            raise DataError(f"{path}: the file is missing or cut short; run dvc repro -f patches")


def remove_others(root: Path, scenes: Iterable[str]) -> None:
    """Remove what an earlier store left of other scenes."""
    own = {photo_file(root, scene) for scene in scenes}
    for path in (root / FOLDER).rglob("*.arrow"):
        if path not in own:
            path.unlink()


def _touched(start: int, size: int, side: int) -> range:
    """The tiles, along one axis, that a window touches."""
    return range(start // side, (start + size - 1) // side + 1)


def _shared(tile: int, start: int, size: int, side: int) -> tuple[slice, slice]:
    """What a tile and a window share along one axis: where it lies in the window, and where in the tile."""
    first, last = max(tile, start), min(tile + side, start + size)
    return slice(first - start, last - start), slice(first - tile, last - tile)


def _window(whole: NDArray[Any], patch: Patch) -> NDArray[Any]:
    size = len(patch.defocus)
    return whole[patch.top : patch.top + size, patch.left : patch.left + size]


def _packed(levels: NDArray[Any]) -> bytes:
    """A tile as WebP; of uint16 the high byte is its red and its green, and the low one its blue."""
    if levels.dtype == np.uint16:
        high, low = np.divmod(levels, 256)
        levels = np.dstack([high, high, low]).astype(np.uint8)
    return webp_bytes(levels)


def _unpacked(packed: pa.Buffer, like: NDArray[Any]) -> NDArray[Any]:
    """A tile, of the type of ``like``."""
    levels = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_COLOR_RGB)  # a third faster than Pillow
    if levels is None:
        raise ValueError("a tile is no picture")
    if like.dtype == np.uint16:
        return np.asarray(256 * levels[..., 0].astype(np.uint16) + levels[..., 2])
    return np.asarray(levels)
