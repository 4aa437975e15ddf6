"""Patches on disk: a Parquet index, a row a patch, and a file a scene that they are cut from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.patches.extract import STATISTICS, Patch
from sftdec.patches.files import Triple, read_patch, refuse_incomplete, remove_others, write_photo
from sftdec.patches.selection import select_patches
from sftdec.runtime import DataError, atomic_path

INDEX = "index.parquet"
COLUMNS = ["scene", "dataset", "top", "left", *STATISTICS]  # of the index
LAYOUT = "3"  # to be raised with every change of what a store's bytes mean
RESIDENT = 128 << 20  # bytes of patches that a store holds, so as not to unpack them anew


def write_index(root: Path, table: pd.DataFrame, size: int) -> pd.DataFrame:
    """Write and return a store's index, ``COLUMNS`` of a table with a row a patch of ``size`` px, in order.

    It is written whole or not at all, and what an earlier store left of other scenes goes.
    """
    index = table[COLUMNS].reset_index(drop=True)
    index.attrs = {"layout": LAYOUT, "size": size}
    with atomic_path(root / INDEX) as temporary:
        index.to_parquet(temporary, index=False)
    remove_others(root, index["scene"].unique())
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
        ValueError: patches of a scene that overlap and differ there.
        OSError: the disk is full; files written before stay whole.
    """
    there = list(patches)
    refuse_empty(len(there), size)
    table = pd.DataFrame([{key: getattr(patch, key) for key in ("scene", "dataset", "top", "left")} for patch in there])
    table = table.join(pd.DataFrame([patch.statistics() for patch in there]))
    kept = select_patches(table, drop_least_sharp)
    for _, rows in table.iloc[kept].groupby("scene", sort=False):
        write_photo(root, [there[number] for number in rows.index])
    return write_index(root, table.iloc[kept], size)


class PatchStore:
    """Random access to a store: ``store[i]`` gives (blurred, sharp, defocus) of patch i, read-only.

    The first ``resident`` bytes of patches that are asked for are held, so that a store no larger than that is unpacked
    once and the process doesn't grow with a larger one. Safe in worker processes.

    Raises:
        DataError: no index, one built with other code, a file that is missing or cut short; in use, one that is
            damaged.
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
        refuse_incomplete(self.root, self.index["scene"].unique())
        self._open()

    def _open(self) -> None:
        self.size = int(self.index.attrs["size"])
        places = self.index[["scene", "top", "left"]].itertuples(index=False, name=None)
        self._places = [(str(scene), int(top), int(left)) for scene, top, left in places]
        self._held: dict[int, Triple] = {}
        self._room = self.resident // (self.size * self.size * 8)  # patches

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Triple:
        if (held := self._held.get(number)) is not None:
            return held
        triple = read_patch(self.root, *self._places[number], self.size)
        for levels in triple:
            levels.flags.writeable = False
        if len(self._held) < self._room:
            self._held[number] = triple
        return triple

    @property
    def scenes(self) -> int:
        """How many scenes the patches are of; that is what an epoch of a stage counts."""
        return int(self.index["scene"].nunique())

    def by_scene(self) -> list[NDArray[np.int64]]:
        """The numbers of each scene's patches, scenes in the order in which they come."""
        numbers, _ = pd.factorize(self.index["scene"])
        order = np.argsort(numbers, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index, "resident": self.resident}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
