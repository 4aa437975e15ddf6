"""A scene: blurred and sharp photo and the defocus between them; and the folder of scenes that fetch makes."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.photos import PHOTO_ENDINGS, defocus_levels, read_defocus, read_photo, write_picture
from sftdec.runtime import DataError, atomic_path

Split = Literal["train", "validation", "test"]
INDEX = "index.parquet"
_LONGEST_WEBP = 16383  # px a side
REFUSED = "refused.parquet"  # the scenes that failed a check: data set, scene, check, reason


@dataclass(frozen=True)
class Scene:
    """One picture: ``blurred`` and ``sharp`` uint8 H×W×3 (sRGB), ``defocus`` float32 H×W in 0..1.

    Defocus is the blur's Gaussian-equivalent standard deviation divided by ``sigma_max`` (px). ``map_known``: it is
    what the scene was rendered with, whatever the photos look like. ``made``: what was done so that the photos agree.

    Raises:
        DataError: sizes that differ, or a map with NaN or values outside 0..1.
    """

    name: str
    dataset: str
    split: Split
    photo: str
    sigma_max: float
    blurred: NDArray[np.uint8]
    sharp: NDArray[np.uint8]
    defocus: NDArray[np.float32]
    map_known: bool = False
    made: str = ""

    def __post_init__(self) -> None:
        sizes = {
            "blurred": self.blurred.shape[:2],
            "sharp": self.sharp.shape[:2],
            "defocus": self.defocus.shape[:2],
        }
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{key} {width}×{height}" for key, (height, width) in sizes.items())
            raise DataError(f"scene {self.name}: the three pictures differ in size ({found}); they must be aligned")
        try:
            defocus_levels(self.defocus)
        except DataError as error:
            raise DataError(f"scene {self.name}: {error}") from error


def write_scene(root: Path, scene: Scene, sources: Mapping[str, Path] = MappingProxyType({})) -> dict[str, Any]:
    """Write a scene's three pictures below ``root`` and return its row of the index.

    A photo whose source reads as its very levels, in fewer bytes than theirs, is that file: of a JPEG, any other would
    be up to six times as large. From another source it becomes a WebP without loss. What has no source is PNG; a map
    that nothing was rendered with has 8 bits where these hold it exactly.
    """
    row: dict[str, Any] = {
        "scene": scene.name,
        "dataset": scene.dataset,
        "split": scene.split,
        "photo": scene.photo,
        "height": scene.sharp.shape[0],
        "width": scene.sharp.shape[1],
        "sigma_max": scene.sigma_max,
        "sigma_mean": float(scene.defocus.mean(dtype=np.float64) * scene.sigma_max),
        "sigma_peak": float(scene.defocus.max() * scene.sigma_max),
    }
    levels = defocus_levels(scene.defocus)
    pictures: dict[str, NDArray[np.uint8] | NDArray[np.uint16]] = {
        "blurred": scene.blurred,
        "sharp": scene.sharp,
        "defocus": levels if scene.map_known else _few_bits(levels),
    }
    for part, picture in pictures.items():
        source = sources.get(part)
        if source is not None and _is_of(source, picture):
            path = root / part / f"{scene.name}{source.suffix.lower()}"
            with atomic_path(path) as temporary:
                shutil.copyfile(source, temporary)
        else:
            png = source is None or max(picture.shape) > _LONGEST_WEBP
            path = root / part / f"{scene.name}{'.png' if png else '.webp'}"
            write_picture(path, picture)
        row[part] = path.relative_to(root).as_posix()
        row[f"{part}_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return row


def _few_bits(levels: NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The levels of a map, uint8 where it has no others than 8 bits can tell."""
    high, rest = np.divmod(levels, 257)
    return levels if rest.any() else high.astype(np.uint8)


def _is_of(source: Path, levels: NDArray[Any]) -> bool:
    """Whether a file, which may reach beyond them all round, reads as levels uint8 H×W×3, and is smaller than they."""
    if source.suffix.lower() not in PHOTO_ENDINGS or source.stat().st_size >= levels.nbytes:
        return False
    return np.array_equal(_inside(read_photo(source), *levels.shape[:2]), levels)


def _inside(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle of a photo, of which aligning has cut a margin."""
    top, left = (max(length - kept, 0) // 2 for length, kept in zip(photo.shape, (height, width), strict=False))
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def write_index(root: Path, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Write the index of a folder of scenes, in the order given; the same rows give the same bytes."""
    index = pd.DataFrame(rows)
    with atomic_path(root / INDEX) as temporary:
        index.to_parquet(temporary, index=False)
    return index


def read_index(root: Path) -> pd.DataFrame:
    """The index of a folder of scenes, a row a scene.

    Raises:
        DataError: there is none, or it can't be read.
    """
    try:
        return pd.read_parquet(root / INDEX)
    except FileNotFoundError:
        raise DataError(f"{root / INDEX}: there are no scenes yet; run the stage before: dvc repro fetch") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{root / INDEX}: not an index of scenes ({error}); run dvc repro -f fetch") from error


def load_scene(root: Path, row: Any) -> Scene:
    """The scene of one row of the index (a ``pandas`` row, or anything with its columns as keys)."""
    return Scene(
        name=row["scene"],
        dataset=row["dataset"],
        split=row["split"],
        photo=row["photo"],
        sigma_max=float(row["sigma_max"]),
        blurred=_inside(read_photo(root / row["blurred"]), row["height"], row["width"]),
        sharp=_inside(read_photo(root / row["sharp"]), row["height"], row["width"]),
        defocus=read_defocus(root / row["defocus"]),
    )


def load_scenes(root: Path, split: Split | None = None, dataset: str | None = None) -> Iterator[Scene]:
    """The scenes of a folder in the index's order, of one split or data set if given."""
    for row in select_scenes(read_index(root), split, dataset).to_dict("records"):
        yield load_scene(root, row)


def select_scenes(index: pd.DataFrame, split: Split | None = None, dataset: str | None = None) -> pd.DataFrame:
    """The rows of one split and data set.

    Raises:
        DataError: none is left; the message says what there is.
    """
    chosen = index[((index["split"] == split) | (split is None)) & ((index["dataset"] == dataset) | (dataset is None))]
    if chosen.empty:
        there = ", ".join(f"{d}/{s}" for d, s in sorted(set(zip(index["dataset"], index["split"], strict=True))))
        raise DataError(f"no scene of data set {dataset or 'any'}, split {split or 'any'}; there is: {there}")
    return chosen
