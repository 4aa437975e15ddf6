"""Patches on disk: three large memory-mapped arrays and a Parquet index whose rows are theirs.

Random reads cost a view of the page cache, whatever the store's size, and the reading process stays small: pages that
it has been handed are given back to the cache after a while.
"""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.patches.extract import STATISTICS, Patch
from sftdec.patches.files import PARTS, lay_out, map_part
from sftdec.patches.selection import select_patches
from sftdec.runtime import DataError, atomic_path

INDEX = "index.parquet"
COLUMNS = ["scene", "dataset", "top", "left", *STATISTICS]  # of the index
LAYOUT = "2"  # to be raised with every change of what a store's bytes mean
RESIDENT = 128 << 20  # bytes of different patches that a store hands out before it gives their pages back
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]


def write_index(root: Path, table: pd.DataFrame, size: int) -> pd.DataFrame:
    """Write and return a store's index, ``COLUMNS`` of a table with a row a patch of ``size`` px, in order.

    It is written whole or not at all.
    """
    index = table[COLUMNS].reset_index(drop=True)
    index.attrs = {"layout": LAYOUT, "size": size}
    with atomic_path(root / INDEX) as temporary:
        index.to_parquet(temporary, index=False)
    return index


def refuse_empty(patches: int, size: int) -> None:
    """Stop if there is no patch at all."""
    if not patches:
        raise DataError(
            f"no patch of {size}×{size} px fits into any training scene: lower patches.patch_size (and "
            "train.common.crop) or bring larger photos"
        )


def write_store(root: Path, patches: Iterable[Patch], size: int, drop_least_sharp: float = 0.0) -> pd.DataFrame:
    """Write patches of ``size`` px that are in memory as a store below ``root``; return its index.

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
    with lay_out(root, len(kept), size) as files:
        files.fill((row, there[number]) for row, number in enumerate(kept))
    return write_index(root, table.iloc[kept], size)


class PatchStore:
    """Random access to a store: ``store[i]`` gives views (blurred, sharp, defocus) of patch i, read-only.

    A view stays good for as long as it is held. Once ``resident`` bytes of different patches have been handed out, the
    maps' pages are given back to the system's cache (from where they return when they are looked at again), so that
    the process doesn't grow with the store; of a store no larger than that, none are. Safe in worker processes: the
    maps are opened anew wherever the store is sent.

    Raises:
        DataError: no index, one built with other code, a file that is missing, cut short or doesn't fit the index.
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
        made = self.index.attrs.get("layout", "none")
        if made != LAYOUT:
            raise DataError(
                f"{self.root / INDEX}: the store was built with other code (layout {made}), this code reads layout "
                f"{LAYOUT}; run dvc repro -f patches"
            )
        self._open()

    def _open(self) -> None:
        self.size = int(self.index.attrs["size"])
        self._maps = [map_part(self.root, part, len(self.index), self.size) for part in PARTS]
        self._parts = [np.asarray(levels) for levels in self._maps]  # whose rows cost less to take
        self._seen: set[int] = set()
        self._limit = max(1, self.resident // (self.size * self.size * 8))  # patches

    def __len__(self) -> int:
        return len(self._parts[0])

    def __getitem__(self, number: int) -> Triple:
        if number not in self._seen:
            if len(self._seen) >= self._limit:
                self._give_back()
            self._seen.add(number)
        blurred, sharp, defocus = (part[number] for part in self._parts)
        return blurred, sharp, defocus

    @property
    def scenes(self) -> int:
        """How many scenes the patches are of; that is what an epoch of a stage counts."""
        return int(self.index["scene"].nunique())

    def by_scene(self) -> list[NDArray[np.int64]]:
        """The numbers of each scene's patches, scenes in the order in which they come."""
        numbers, _ = pd.factorize(self.index["scene"])
        order = np.argsort(numbers, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)

    def _give_back(self) -> None:
        for levels in self._maps:
            if isinstance(levels.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
                levels.base.madvise(mmap.MADV_DONTNEED)
        self._seen.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index, "resident": self.resident}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
