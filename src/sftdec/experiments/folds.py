"""Folds of photos: a training leaves one out and is judged on it, so that every photo is judged and none was learned.

All photos are rendered once, four times each, as ``RENDERINGS`` says; a fold is an index of the same pictures with
splits of its own.
"""

import csv
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sftdec.datasets import OWN_PHOTOS, RECIPES, write_index
from sftdec.runtime import DataError

NAME = "folds"  # of the data set
WHEELS = ("astronaut", "chelsea", "china", "coffee", "flower", "hopper", "motorcycle", "rocket")  # photographs of these
VALIDATION = 8  # of so many photos that a fold learns from, one chooses the weights
_COLUMNS = (
    "name,split,count,content,photo,scale,height,width,top,left,depth,near_m,far_m,focus,focal_length_mm,"
    "pixel_pitch_um,max_coc_px,psf,blades,softness_px,shot_noise,read_noise,seed"
)
_CAMERA = {"near_m": 0.5, "far_m": 4, "focal_length_mm": 50, "pixel_pitch_um": 60, "blades": 6, "softness_px": "0..0.6",
           "shot_noise": 0.00002, "read_noise": 0.001}  # fmt: skip
RENDERINGS = (  # what differs between a photo's four pictures
    {"depth": "ramp", "focus": "0..1", "max_coc_px": "2..6", "psf": "disc"},
    {"depth": "relief", "focus": "0..1", "max_coc_px": "2..6", "psf": "disc"},
    {"depth": "cutout", "focus": "0..1", "max_coc_px": "2..6", "psf": "polygon"},
    {"depth": "cutout", "focus": "0..1", "max_coc_px": "4..8", "psf": "gaussian"},
)


def lay_out(data: Path, photos: Path | None, left_out: Iterable[str] = (), name: str = NAME) -> int:
    """Write the recipes of all photos' renderings below ``data``, as the data set ``name``; how many photos there are.

    ``photos``: a folder of pictures beside the wheels'. A photo's recipes have seeds of its name, so that another photo
    changes nothing of it.

    Raises:
        DataError: the folder isn't there, or a name that is left out isn't known.
    """
    if photos is not None and not photos.is_dir():
        raise DataError(f"{photos}: no photos are there; run python -m experiments.builtin.photos first")
    own = sorted(photos.glob("*.png")) if photos is not None else []
    names = [*WHEELS, *(path.stem for path in own)]
    if unknown := set(left_out) - set(names):
        raise DataError(f"photos.left_out: found {', '.join(sorted(unknown))}, expected names of photos")
    folder = data / name
    (folder / OWN_PHOTOS).mkdir(parents=True, exist_ok=True)
    for path in own:
        shutil.copyfile(path, folder / OWN_PHOTOS / path.name)
    chosen = [name for name in names if name not in set(left_out)]
    with (folder / RECIPES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS.split(","))
        writer.writeheader()
        for place, photo in enumerate(chosen):
            split = {0: "test", 1: "validation"}.get(place, "train")  # there is to be one of each; folds have their own
            for number, rendering in enumerate(RENDERINGS):
                row = {"name": f"{photo}_{number}", "split": split, "count": 1, "content": "photo", "photo": photo}
                row |= {"scale": "0.9..1", "height": 256, "width": 256, "top": -1, "left": -1, **_CAMERA, **rendering}
                writer.writerow(row | {"seed": _drawn(f"{photo} {number}") % 2**31})
    return len(chosen)


def fold_index(index: pd.DataFrame, fold: int, folds: int) -> pd.DataFrame:
    """The index with the splits of a fold: its photos are ``test``, one in ``VALIDATION`` of the others chooses the
    weights, the rest is learned from. Folds differ by a photo in size; which photo is where, its name decides.

    Raises:
        DataError: fewer photos than two a fold.
    """
    photos = sorted(index["photo"].unique(), key=lambda name: _drawn(str(name)))
    if len(photos) < 2 * folds:
        raise DataError(f"found {len(photos)} photos for {folds} folds, expected two a fold or more")
    others = [photo for place, photo in enumerate(photos) if place % folds != fold]
    splits = dict.fromkeys(photos, "test") | dict.fromkeys(others, "train")
    splits |= dict.fromkeys(others[::VALIDATION], "validation")
    return index.assign(split=index["photo"].map(splits))


def write_fold(scenes: Path, index: pd.DataFrame, out: Path) -> None:
    """Write a fold's index to the folder ``out``, whose pictures are those of ``scenes``."""
    out.mkdir(parents=True, exist_ok=True)
    way = Path(os.path.relpath(scenes, out)).as_posix()
    moved = {column: way + "/" + index[column] for column in ("blurred", "sharp", "defocus")}
    write_index(
        out, [{str(key): value for key, value in row.items()} for row in index.assign(**moved).to_dict("records")]
    )


def _drawn(name: str) -> int:
    """A number that a name stands for, the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
