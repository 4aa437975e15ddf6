"""Patches on disk: few, large, uncompressed Arrow shards that are memory-mapped, and a Parquet index.

A row of a shard is one patch: three fixed-size binaries (blurred and sharp S×S×3 uint8, defocus S×S uint16). Random
reads cost a view of the page cache, whatever the store's size.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sftdec.atomic import atomic_path
from sftdec.datasets import DataError
from sftdec.patches.extract import Patch

INDEX = "index.parquet"
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]


def _schema(size: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("blurred", pa.binary(size * size * 3), nullable=False),
            pa.field("sharp", pa.binary(size * size * 3), nullable=False),
            pa.field("defocus", pa.binary(size * size * 2), nullable=False),
        ],
        metadata={"size": str(size)},
    )


def _write_shard(path: Path, patches: list[Patch], size: int) -> None:
    columns = [
        pa.array([np.ascontiguousarray(getattr(patch, part)).tobytes() for patch in patches], field.type)
        for part, field in zip(("blurred", "sharp", "defocus"), _schema(size), strict=True)
    ]
    batch = pa.record_batch(columns, schema=_schema(size))
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, batch.schema) as writer,
    ):
        writer.write_batch(batch)


def write_store(
    root: Path, patches: Iterable[Patch], size: int, shard_patches: int, drop_least_sharp: float = 0.0
) -> pd.DataFrame:
    """Write patches of ``size`` px as shards of ``shard_patches`` below ``root``; return the index, a row a patch.

    The share ``drop_least_sharp`` (0..1) of patches with the least gradient in the sharp picture is left out: they
    teach little. Equal patches give equal bytes.

    Raises:
        DataError: there is no patch at all.
        OSError: the disk is full; shards written before stay whole.
    """
    kept = list(patches)
    if not kept:
        raise DataError(
            f"no patch of {size}×{size} px fits into any training scene: lower patches.patch_size (and "
            "train.common.crop) or bring larger photos"
        )
    statistics = pd.DataFrame([patch.statistics() for patch in kept])
    order = statistics["sharpness"].to_numpy().argsort(kind="stable")
    chosen = np.sort(order[int(len(kept) * drop_least_sharp) :])
    rows: list[dict[str, Any]] = []
    for shard, start in enumerate(range(0, len(chosen), shard_patches)):
        name = f"patches-{shard:04d}.arrow"
        numbers = chosen[start : start + shard_patches]
        _write_shard(root / name, [kept[number] for number in numbers], size)
        for row, number in enumerate(numbers):
            patch = kept[number]
            place = {"scene": patch.scene, "dataset": patch.dataset, "top": patch.top, "left": patch.left}
            rows.append({"shard": name, "row": row, **place, **statistics.iloc[number].to_dict()})
    index = pd.DataFrame(rows)
    with atomic_path(root / INDEX) as temporary:
        index.to_parquet(temporary, index=False)
    return index


class PatchStore:
    """Random access to a folder of shards: ``store[i]`` gives views (blurred, sharp, defocus) of patch i, read-only.

    Safe in worker processes: the maps are opened anew wherever the store is sent.

    Raises:
        DataError: no index, a shard that is missing or cut short, or shards that don't fit the index.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
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
        self._columns: list[tuple[NDArray[np.uint8], ...]] = []
        self._shards: list[int] = []
        self._rows: list[int] = []
        for number, (name, rows) in enumerate(self.index.groupby("shard", sort=True)):
            batch = self._batch(self.root / str(name), len(rows))
            self.size = int(batch.schema.metadata[b"size"])
            self._columns.append(
                tuple(np.frombuffer(column.buffers()[1], np.uint8).reshape(len(rows), -1) for column in batch.columns)
            )
            self._shards += [number] * len(rows)
            self._rows += rows["row"].tolist()

    @staticmethod
    def _batch(path: Path, rows: int) -> pa.RecordBatch:
        try:
            with pa.memory_map(str(path)) as source:
                batch = pa.ipc.open_file(source).get_batch(0)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path}: the shard is missing or cut short ({error}); run dvc repro -f patches") from error
        if batch.num_rows != rows:
            raise DataError(f"{path}: {batch.num_rows} patches, the index says {rows}; run dvc repro -f patches")
        return batch

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Triple:
        blurred, sharp, defocus = self._columns[self._shards[number]]
        row, size = self._rows[number], self.size
        return (
            blurred[row].reshape(size, size, 3),
            sharp[row].reshape(size, size, 3),
            defocus[row].view(np.uint16).reshape(size, size),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
