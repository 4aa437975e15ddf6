"""The reference: the figures of the photos that the network was trained on, kept in a file.

The training index (``build/patches/index.parquet``) says which scenes were trained on, but its own statistics are
of the sharp pictures, which incoming photos don't have. So the scenes' *blurred* pictures are measured with the
same gauge as the incoming photos, once a network and a set of scenes.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sftdec.datasets import INDEX
from sftdec.drift.statistics import STATISTICS, DriftError, Gauge, measure_files
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    import torch

    from sftdec.networks import SFTDec

CACHE = "drift_reference.parquet"
INDEXES = ("build/patches/index.parquet", ".retrain/worktree/build/patches/index.parquet")  # the flow's own work tree


def find_index(root: Path) -> Path:
    """The training index that the project at ``root`` wrote last: in the checkout, or where the flow retrains.

    The checkout's where there is none.
    """
    found = [root / name for name in INDEXES if (root / name).is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=root / INDEXES[0])


def training_reference(
    index: Path,
    network: "SFTDec",
    gauge: Gauge,
    device: "torch.device | str" = "cpu",
    progress: Callable[[list[Path]], Iterable[Path]] = list,
) -> pd.DataFrame:
    """The figures of a training index's scenes, a row a scene with the columns of ``STATISTICS``.

    ``index`` is ``build/patches/index.parquet``; the blurred pictures are those of the folder ``scenes`` beside
    its own. They are measured where ``build/drift_reference.parquet`` isn't of the same index, pictures and gauge.
    A scene of which no window fits is left out. ``progress`` may wrap the list of files.

    Raises:
        DriftError: the index or a scene is missing, or no scene can be measured.
    """
    build = index.parent.parent
    scenes = _trained_scenes(index, build / "scenes")
    made_from: dict[Any, Any] = {
        "window": gauge.window,
        "weights": gauge.weights,
        "pictures": sorted(scenes["blurred_sha256"]),
    }
    cache = build / CACHE
    found = _cached(cache, made_from)
    if found is not None:
        return found
    files = [build / "scenes" / name for name in scenes["blurred"]]
    rows = []
    for file, figures in measure_files(network, progress(files), gauge.window, device):
        if not file.is_file():
            raise DriftError(f"{file}: there is no such picture, but {index} was made from it; run dvc repro")
        if isinstance(figures, dict):
            rows.append(figures)
    if not rows:
        raise DriftError(f"{index}: none of its {len(files)} scenes has a window of {gauge.window} px")
    table = pd.DataFrame(rows, columns=list(STATISTICS))
    table.attrs = made_from  # which its file keeps
    with atomic_path(cache) as temporary:
        table.to_parquet(temporary, index=False)
    return table


def _trained_scenes(index: Path, folder: Path) -> pd.DataFrame:
    """The rows of the scene index that a training index names, each photo's scenes reduced to one.

    Scenes of one photo resemble each other, and a test takes all rows for independent.
    """
    for path in (index, folder / INDEX):
        if not path.is_file():
            raise DriftError(f"{path}: there is no such index; make it with dvc repro")
    patches = pd.read_parquet(index)
    if "scene" not in patches.columns:
        raise DriftError(f"{index}: found no column scene, expected the index that stage patches makes")
    scenes = pd.read_parquet(folder / INDEX)
    trained = scenes[scenes["scene"].isin(patches["scene"])]
    return trained.sort_values("blurred_sha256").drop_duplicates(["dataset", "photo"])


def _cached(path: Path, made_from: dict[Any, Any]) -> pd.DataFrame | None:
    """The table of a reference file, None where there is none or it is of something else."""
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError):  # none, or a broken one: it is made anew
        return None
    return found if found.attrs == made_from else None
