"""Render what the built-in model goes on from: camera.csv's scenes beside the sample's, and their patches.

    nice -n 19 python -m experiments.builtin.scenes [--out build/camera] [--share 1] [--processes -1]

``python -m experiments.builtin.photos`` brings the photos first. ``--share 0.01`` renders a hundredth of each row, to
rehearse. What is there already stays; delete the folder to render it anew.
"""

import argparse
import csv
import math
import shutil
from collections.abc import Callable
from pathlib import Path

from experiments.builtin.photos import OUT as PHOTOS
from pipelines.stages.entry import run_stage
from sftdec.datasets import INDEX, OWN_PHOTOS, RECIPES, fetch, read_index, select_scenes
from sftdec.params import load_params
from sftdec.patches import extract_store
from sftdec.runtime import DataError, compute

ROOT = Path(__file__).parents[2]
TABLES = {"sample": ROOT / "data" / "sample" / RECIPES, "camera": Path(__file__).with_name("camera.csv")}
Row = dict[str, str]  # of a table of recipes


def lay_out(data: Path, photos: Path, share: float, change: Callable[[Row], Row | None] = lambda row: row) -> None:
    """Write the data sets ``sample`` and ``camera`` below ``data``: ``share`` of each training row's scenes, at least
    one. Of other rows all is kept.

    ``change`` makes a training row of ``camera`` another one, or leaves it out (None).

    Raises:
        DataError: a share outside 0..1, or the photos aren't there.
    """
    if not 0 < share <= 1:
        raise DataError(f"--share: found {share:g}, expected above 0 and at most 1; give 1 for all scenes")
    if not photos.is_dir():
        raise DataError(f"{photos}: no photos are there; run python -m experiments.builtin.photos first")
    for name, table in TABLES.items():
        folder = data / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for found in csv.DictReader(table.read_text("utf-8").splitlines()):
            row = change(found) if name == "camera" and found["split"] == "train" else found
            if row is None:
                continue
            if row["split"] == "train":
                row["count"] = str(math.ceil(int(row["count"]) * share))
            rows.append(row)
        with (folder / RECIPES).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    shutil.copytree(photos, data / "camera" / OWN_PHOTOS, dirs_exist_ok=True)


def render(
    out: Path, photos: Path, share: float, processes: int, change: Callable[[Row], Row | None] = lambda row: row
) -> int:
    """Render ``out/scenes`` and cut ``out/patches`` from them, unless they are there; how many scenes there are."""
    params = load_params(ROOT / "params.builtin.yaml")
    wanted = params.fetch.model_copy(update={"datasets": list(TABLES)})
    lay_out(out / "data", photos, share, change)
    with compute(processes=processes) as run:
        if not (out / "scenes" / INDEX).exists():
            fetch(wanted, out / "data", out / "scenes", run)
        index = read_index(out / "scenes")
        if not (out / "patches" / INDEX).exists():
            cut = params.patches.model_dump()
            size = cut.pop("patch_size")
            extract_store(out / "scenes", select_scenes(index, "train"), out / "patches", size=size, **cut, run=run)
    return len(index)


def main() -> None:
    """Render and cut."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/camera"))
    parser.add_argument("--photos", type=Path, default=PHOTOS / OWN_PHOTOS)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=-1, help="-1: one a core")
    given = parser.parse_args()
    print(f"{render(given.out, given.photos, given.share, given.processes)} scenes in {given.out}")


if __name__ == "__main__":
    run_stage(main)
