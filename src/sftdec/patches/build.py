"""From a folder of scenes to a store of patches, one scene in memory at a time.

Two passes over the scenes, each in parallel: the first measures every window, so that it can be decided over the
whole set which are kept; the second writes those into shards that were laid out meanwhile. Reading a scene twice
costs less than keeping overlapping windows anywhere.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from sftdec.datasets import load_scene, read_index
from sftdec.patches.extract import STATISTICS, extract_patches
from sftdec.patches.selection import select_patches
from sftdec.patches.shards import Layout, lay_out
from sftdec.patches.store import place_rows, refuse_empty, write_index
from sftdec.runtime import DataError, Run, atomic_path, run_here

Row = dict[str, Any]
Targets = dict[int, tuple[Path, Layout, int]]  # by a window's number in its scene: the shard and row that it goes to


def extract_store(
    scenes: Path,
    index: pd.DataFrame,
    out: Path,
    *,
    size: int,
    stride: int,
    shard_patches: int,
    drop_least_sharp: float = 0.0,
    balance_levels: int = 0,
    run: Run = run_here,
) -> pd.DataFrame:
    """Cut scenes into patches of ``size`` px every ``stride`` px and write them as a store; return the store's index.

    ``scenes`` is a folder of scenes, ``index`` the rows of its index that are to be cut, all of one split. Which
    windows are kept: see ``select_patches``. ``run`` says where the work is done (``compute``). Equal scenes give
    equal bytes, wherever and in how many processes: shards of ``shard_patches`` in the order of the scenes.

    Raises:
        DataError: a photo or scene in two splits, a parameter out of range, a scene that can't be read, or no patch.
        OSError: the disk is full; an index that was there before stays.
    """
    refuse_two_splits(index, read_index(scenes))
    if shard_patches < 1:
        raise DataError(f"patches.shard_patches={shard_patches}: expected 1 or more")
    rows: list[Row] = [{str(key): value for key, value in row.items()} for row in index.to_dict("records")]
    measured = run(_measure, ((scenes, row, size, stride) for row in rows))
    table = _table(rows, _shown(measured, "measure", len(rows)))
    refuse_empty(len(table), size)
    kept = table.iloc[select_patches(table, drop_least_sharp, balance_levels)]
    placed = place_rows(kept, shard_patches)
    with ExitStack() as shards:
        places = {}
        for name, count in placed["shard"].value_counts(sort=False).items():
            temporary = shards.enter_context(atomic_path(out / str(name)))
            places[name] = (temporary, lay_out(temporary, int(count), size))
        targets = zip(kept["source"], kept["window"], placed["shard"], placed["row"], strict=True)
        jobs = (
            (scenes, rows[source], size, stride, {window: (*places[shard], row) for _, window, shard, row in group})
            for source, group in groupby(targets, key=lambda target: target[0])
        )
        written = _shown(run(_write, jobs), "write", kept["source"].nunique())
        _sync_behind(written, [temporary for temporary, _ in places.values()])
    write_index(out, placed)
    return placed


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


def _write(scenes: Path, row: Row, size: int, stride: int, targets: Targets) -> None:
    """Write windows of one scene into their shards, which others write to at the same time, in other rows."""
    for window, patch in enumerate(extract_patches(load_scene(scenes, row), size, stride)):
        if window in targets:
            path, layout, place = targets[window]
            with path.open("r+b") as shard:
                layout.fill(shard, place, patch)


def _sync_behind(written: Iterator[None], shards: list[Path]) -> None:
    """Wait until all is written, having the disk keep up meanwhile: at the end little is left to wait for."""
    with ThreadPoolExecutor(1) as behind:
        syncing = behind.submit(_sync, [])
        for _ in written:
            if syncing.done():
                syncing.result()  # a failure of the disk is reported once
                syncing = behind.submit(_sync, shards)
        syncing.result()


def _sync(shards: list[Path]) -> None:
    for path in shards:
        with path.open("rb") as shard:
            os.fsync(shard.fileno())


def _shown(results: Iterator[Any], what: str, total: int) -> Iterator[Any]:
    return iter(tqdm(results, desc=f"patches: {what}", total=total, unit="scene", disable=None))


def refuse_two_splits(index: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Stop if patches of ``index`` would show what belongs to another split; ``whole`` is the folder's whole index.

    Raises:
        DataError: scenes of several splits, or a scene or photo that the whole index has in another split too.
    """
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
