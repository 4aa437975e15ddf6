"""Patches on disk: few, large, uncompressed Arrow shards that are memory-mapped, and a Parquet index.

Random reads cost a view of the page cache, whatever the store's size, and the reading process stays small: pages that
it has been handed are given back to the cache after a while.
"""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sftdec.patches.extract import STATISTICS, Patch
from sftdec.patches.selection import select_patches
from sftdec.patches.shards import LAYOUT, PARTS, lay_out, map_shard
from sftdec.runtime import DataError, atomic_path

INDEX = "index.parquet"
RESIDENT = 128 << 20  # bytes of different patches that a store hands out before it gives their pages back
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]


def place_rows(table: pd.DataFrame, shard_patches: int) -> pd.DataFrame:
    """The index of a store: a table of patches (scene, dataset, top, left, statistics) with shard and row before it."""
    numbers = np.arange(len(table))
    placed = table[["scene", "dataset", "top", "left", *STATISTICS]].reset_index(drop=True)
    placed.insert(0, "shard", pd.Series([f"patches-{shard:04d}.arrow" for shard in numbers // shard_patches]))
    placed.insert(1, "row", numbers % shard_patches)
    return placed


def write_index(root: Path, index: pd.DataFrame) -> None:
    """Write a store's index: whole or not at all, the same bytes for the same rows."""
    with atomic_path(root / INDEX) as temporary:
        index.to_parquet(temporary, index=False)


def refuse_empty(patches: int, size: int) -> None:
    """Stop if there is no patch at all.

    Raises:
        DataError: there is none.
    """
    if not patches:
        raise DataError(
            f"no patch of {size}×{size} px fits into any training scene: lower patches.patch_size (and "
            "train.common.crop) or bring larger photos"
        )


def write_store(
    root: Path, patches: Iterable[Patch], size: int, shard_patches: int, drop_least_sharp: float = 0.0
) -> pd.DataFrame:
    """Write patches of ``size`` px that are in memory as shards of ``shard_patches`` below ``root``; return the index.

    The share ``drop_least_sharp`` (0..1) of patches with the least gradient in the sharp picture is left out. Equal
    patches give equal bytes. Whole data sets go through ``extract_store``, which holds one scene at a time.

    Raises:
        DataError: there is no patch at all.
        OSError: the disk is full; files written before stay whole.
    """
    there = list(patches)
    refuse_empty(len(there), size)
    table = pd.DataFrame([{key: getattr(patch, key) for key in ("scene", "dataset", "top", "left")} for patch in there])
    table = table.join(pd.DataFrame([patch.statistics() for patch in there]))
    kept = select_patches(table, drop_least_sharp)
    index = place_rows(table.iloc[kept], shard_patches)
    for name, rows in index.groupby("shard"):
        with atomic_path(root / str(name)) as temporary:
            layout = lay_out(temporary, len(rows), size)
            with temporary.open("r+b") as file:
                for number, row in zip(rows.index, rows["row"], strict=True):
                    layout.fill(file, row, there[kept[number]])
    write_index(root, index)
    return index


class PatchStore:
    """Random access to a folder of shards: ``store[i]`` gives views (blurred, sharp, defocus) of patch i, read-only.

    A view stays good for as long as it is held. Once ``resident`` bytes of different patches have been handed out, the
    maps' pages are given back to the system's cache (from where they return when they are looked at again), so that
    the process doesn't grow with the store; of a store no larger than that, none are. Safe in worker processes: the
    maps are opened anew wherever the store is sent.

    Raises:
        DataError: no index, a shard that is missing, cut short or built with other code, or shards that don't fit the
            index.
    """

    def __init__(self, root: Path, resident: int = RESIDENT) -> None:
        self.root, self.resident = Path(root), resident
        try:
            self.index = pd.read_parquet(self.root / INDEX)
        except FileNotFoundError:
            raise DataError(
                f"{self.root / INDEX}: there are no patches yet; run the stage before: dvc repro patches"
            ) from None
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.root / INDEX}: not an index of patches ({error}); run dvc repro -f patches"
            ) from error
        self._open()

    def _open(self) -> None:
        self._maps: list[mmap.mmap] = []
        self._columns: list[tuple[NDArray[np.uint8], ...]] = []
        names, shards = np.unique(self.index["shard"].to_numpy(str), return_inverse=True)
        self._shards, self._rows = shards.tolist(), self.index["row"].tolist()
        for name, rows in zip(names, np.bincount(shards), strict=True):
            mapped, batch = _open_shard(self.root / str(name), int(rows))
            self.size = int(batch.schema.metadata[b"size"])
            self._maps.append(mapped)
            buffers = [batch.column(part).buffers()[1] for part in PARTS]
            self._columns.append(tuple(np.frombuffer(buffer, np.uint8).reshape(rows, -1) for buffer in buffers))
        self._seen: set[int] = set()
        self._limit = max(1, self.resident // (self.size * self.size * 8))  # patches

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Triple:
        shard, row, size = self._shards[number], self._rows[number], self.size
        if number not in self._seen:
            if len(self._seen) >= self._limit:
                self._give_back()
            self._seen.add(number)
        blurred, sharp, defocus = self._columns[shard]
        return (
            blurred[row].reshape(size, size, 3),
            sharp[row].reshape(size, size, 3),
            defocus[row].view(np.uint16).reshape(size, size),
        )

    def _give_back(self) -> None:
        for shard in {self._shards[number] for number in self._seen}:
            if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
                self._maps[shard].madvise(mmap.MADV_DONTNEED)
        self._seen.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index, "resident": self.resident}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


def _open_shard(path: Path, rows: int) -> tuple[mmap.mmap, pa.RecordBatch]:
    try:
        mapped, batch = map_shard(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the shard is missing or cut short ({error}); run dvc repro -f patches") from error
    if batch.num_rows != rows:
        raise DataError(f"{path}: {batch.num_rows} patches, the index says {rows}; run dvc repro -f patches")
    made = (batch.schema.metadata or {}).get(b"layout", b"none").decode()
    if made != LAYOUT:
        raise DataError(
            f"{path}: the shard was built with other code (layout {made}), this code reads layout {LAYOUT}; "
            "run dvc repro -f patches"
        )
    return mapped, batch
