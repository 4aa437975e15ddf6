"""From a folder of scenes to a store of patches, one scene in memory at a time.

Two passes over the scenes, each in parallel: the first measures every window, so that it can be decided over the
whole set which are kept; the second writes those. Reading a scene twice costs less than keeping its windows anywhere.
"""

import warnings
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from sftdec.datasets import load_scene, read_index
from sftdec.patches.extract import STATISTICS, extract_patches
from sftdec.patches.files import write_photo
from sftdec.patches.selection import select_patches
from sftdec.patches.store import refuse_empty, write_index
from sftdec.runtime import DataError, Run, run_here

Row = dict[str, Any]


def extract_store(
    scenes: Path,
    index: pd.DataFrame,
    out: Path,
    *,
    size: int,
    stride: int,
    drop_least_sharp: float = 0.0,
    balance_levels: int = 0,
    run: Run = run_here,
) -> pd.DataFrame:
    """Cut scenes into patches of ``size`` px every ``stride`` px and write them as a store; return the store's index.

    ``scenes`` is a folder of scenes, ``index`` the rows of its index that are to be cut, all of one split. Which
    windows are kept: see ``select_patches``. ``run`` says where the work is done (``compute``). Equal scenes give
    equal bytes, wherever and in how many processes: patches in the order of the scenes.

    Raises:
        DataError: a photo or scene in two splits, a parameter out of range, a scene that can't be read, or no patch.
        OSError: the disk is full; an index that was there before stays.
    """
    refuse_two_splits(index, read_index(scenes))
    rows: list[Row] = [{str(key): value for key, value in row.items()} for row in index.to_dict("records")]
    measured = run(_measure, ((scenes, row, size, stride) for row in rows))
    table = _table(rows, _shown(measured, "measure", len(rows)))
    refuse_empty(len(table), size)
    _name_too_small([str(rows[number]["scene"]) for number in sorted({*range(len(rows))} - {*table["source"]})], size)
    kept = table.iloc[select_patches(table, drop_least_sharp, balance_levels)]
    sources, targets = kept["source"].to_numpy(), kept["window"].to_numpy()
    jobs = (
        (scenes, rows[source], size, stride, {int(targets[row]) for row in group}, out)
        for source, group in groupby(range(len(kept)), key=lambda row: int(sources[row]))
    )
    for _ in _shown(run(_write, jobs), "write", kept["source"].nunique()):
        pass
    return write_index(out, kept, size)


def _measure(scenes: Path, row: Row, size: int, stride: int) -> NDArray[np.float64]:
    """Top, left and statistics of every window of a scene, a row a window."""
    found = [
        (patch.top, patch.left, *patch.statistics().values())
        for patch in extract_patches(load_scene(scenes, row), size, stride)
    ]
    return np.array(found, np.float64).reshape(len(found), 2 + len(STATISTICS))


def _table(rows: list[Row], measured: Iterator[NDArray[np.float64]]) -> pd.DataFrame:
    """A row a window, scene after scene: the scene's number (``source``), the window's in its scene, and the rest."""
    parts = list(measured)
    counts = [len(part) for part in parts]
    source = np.repeat(np.arange(len(parts)), counts)
    table = pd.DataFrame(np.concatenate(parts), columns=["top", "left", *STATISTICS])
    return table.astype({"top": np.int64, "left": np.int64}).assign(
        source=source,
        window=np.concatenate([np.arange(count) for count in counts]),
        **{key: np.array([row[key] for row in rows])[source] for key in ("scene", "dataset")},
    )


def _name_too_small(scenes: list[str], size: int) -> None:
    if scenes:
        names = ", ".join(scenes[:5]) + (", …" if len(scenes) > 5 else "")
        mend = "lower patches.patch_size (and train.common.crop) to have them"
        warnings.warn(
            f"{len(scenes)} scenes smaller than {size}×{size} px aren't trained on: {names}; {mend}", stacklevel=2
        )


def _write(scenes: Path, row: Row, size: int, stride: int, kept: set[int], out: Path) -> None:
    """Write the windows of one scene that are ``kept``, by their numbers in it."""
    patches = enumerate(extract_patches(load_scene(scenes, row), size, stride))
    write_photo(out, [patch for window, patch in patches if window in kept])


def _shown(results: Iterator[Any], what: str, total: int) -> Iterator[Any]:
    return iter(tqdm(results, desc=f"patches: {what}", total=total, unit="scene", disable=None))


def refuse_two_splits(index: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Stop if patches of ``index`` would show what belongs to another split; ``whole`` is the folder's whole index."""
    splits = sorted(set(index["split"]))
    if len(splits) != 1:
        raise DataError(f"a store's patches are of one split, found {', '.join(splits) or 'no scene'}: select one")
    other = whole[whole["split"] != splits[0]]
    for key in (["scene"], ["dataset", "photo"]):
        shared = other.merge(index[key].drop_duplicates(), on=key)
        if len(shared):
            names = ", ".join(sorted({"/".join(map(str, each)) for each in shared[key].to_numpy()})[:5])
            there = ", ".join(sorted(set(shared["split"])))
            raise DataError(
                f"{key[-1]} {names}: in split {splits[0]} and in {there}, but nothing may be in two splits: "
                "mend the data set's split, then dvc repro -f fetch"
            )
