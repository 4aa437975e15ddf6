"""Recipes: a table in which each row tells how to render a number of scenes.

A cell holds one value, a choice ``a|b|c``, or a range ``lo..hi`` (drawn log-uniformly), which may be one of several
choices; what is open is drawn from the row's seed and the scene's number, so a table of a few KB stands for hundreds of
scenes, the same everywhere. Photos are named: those of ``photos.py``, and the files of a folder ``photos`` beside the
table by their stems. docs/builtin.md has the columns that a table may do without.
"""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.datasets.depth import DEPTH_MODELS
from sftdec.datasets.photos import DISPARITY_NAMES, PHOTO_NAMES
from sftdec.datasets.recipe_cells import drawn, number, words
from sftdec.runtime import DataError

OWN_PHOTOS = "photos"


@dataclass(frozen=True)
class Recipe:
    """One scene to render: photo (names, for textures), geometry, lens and camera; lengths as the names say."""

    name: str
    split: str
    content: str  # photo: one of the photos; leaves: dead leaves, with textures of all of them
    photos: tuple[str, ...]  # as ``photos.recipe_photo`` takes them
    scale: float  # the photo is shrunk by this first, in light
    height: int  # of the crop after shrinking; 0: all of it
    width: int
    top: float  # where the crop lies, as a share of what is left over; below 0: anywhere
    left: float
    depth: str
    near_m: float
    far_m: float
    focus: float  # share of the way, in inverse depth, from far_m (0) to near_m (1)
    focal_length_mm: float
    pixel_pitch_um: float
    max_coc_px: float  # radius; the lens is stopped down until the scene's largest has it; 0: all is in focus
    psf: str
    blades: int
    softness_px: float  # sigma of the lens's and sensor's own blur, in the sharp and in the blurred picture alike
    shot_noise: float
    read_noise: float
    seed: int
    number: int
    gamma: float = 0.0  # of the light that blur forms in, as ``optics.to_light`` has it; 0: sRGB's curve
    leaves: str = "crowded"  # whose statistics dead leaves have, of ``dead_leaves.LEAVES``
    highlight: float = 1.0  # light of what is white in the photo, before the blur
    rim: float = 0.0  # these three as ``optics.Aperture`` has them
    corner: float = 0.0
    fringe_px: float = 0.0
    cut_map: int = 0  # 1: blur may exceed sigma_max, where the map ends; 0: it must not
    exposure: float = 1.0  # from here on as ``optics.Camera`` has them
    tone: float = 0.0
    denoise: float = 0.0
    sharpen: float = 0.0
    sharpen_px: float = 1.0
    jpeg: int = 0
    subsampling: str = "4:2:0"
    answer: str = "clean"  # the sharp picture; grain: with the blurred one's noise

    def generator(self) -> np.random.Generator:
        """The scene's own source of random numbers."""
        return np.random.default_rng([self.seed, self.number, 1])


Sources = dict[str, str]  # a photo's name in the table → what ``photos.recipe_photo`` takes
_DRAWN = tuple(field.name for field in fields(Recipe) if field.name not in ("name", "split", "photos", "number"))
_COLUMNS = ("name", "split", "count", "photo", *_DRAWN)  # as they are drawn: new ones come last
_LEFT_OUT = {field.name: str(field.default) for field in fields(Recipe) if field.default is not MISSING}


def _scenes_of(row: dict[str, str], where: str, sources: Sources) -> list[Recipe]:
    seed, count = (int(number(row[key], key, where)) for key in ("seed", "count"))
    photos = tuple(sources[name] for name in words(row["photo"], "photo", where, sources))
    recipes = []
    for scene in range(count):
        generator = np.random.default_rng([seed, scene, 0])
        cells = {
            key: drawn(row[key], key, where, generator, sources) for key in _COLUMNS if key not in ("name", "count")
        }
        photo = cells.pop("photo")
        cells["photos"] = photos if cells["content"] == "leaves" else (sources[photo],)
        if cells["near_m"] > cells["far_m"]:
            raise DataError(f"{where}, near_m: found {cells['near_m']}, expected at most far_m={cells['far_m']}")
        if (cells["depth"] == "layers") > (cells["content"] == "leaves"):
            raise DataError(
                f"{where}, depth: 'layers' is the depth of leaves; a photo has {', '.join(DEPTH_MODELS[:-1])}"
            )
        if cells["depth"] == "disparity" and (cells["content"] == "leaves" or photo not in DISPARITY_NAMES):
            raise DataError(
                f"{where}, depth: found 'disparity' for {photo!r} as {cells['content']}, but none was measured; "
                f"expected a photo that has one ({', '.join(DISPARITY_NAMES)}) or another depth"
            )
        name = row["name"] if count == 1 else f"{row['name']}_{scene:03d}"
        recipes.append(Recipe(name=name, number=scene, **cells))
    return recipes


def read_recipes(path: Path) -> list[Recipe]:
    """Every scene of a table of recipes (CSV, UTF-8), in order.

    Raises:
        DataError: a missing file or column, a name that occurs twice, or a cell that makes no sense; the message
            names the file, the row and the column.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#", skipinitialspace=True)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no table of recipes; restore it from Git") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table of recipes ({error}); expected CSV with {', '.join(_COLUMNS)}") from error
    table = table.assign(**{key: value for key, value in _LEFT_OUT.items() if key not in table.columns})
    if set(table.columns) != set(_COLUMNS):
        missing, unknown = set(_COLUMNS) - set(table.columns), set(table.columns) - set(_COLUMNS)
        raise DataError(
            f"{path}: columns missing: {sorted(missing) or 'none'}; unknown: {sorted(unknown) or 'none'}; expected "
            f"{', '.join(key for key in _COLUMNS if key not in _LEFT_OUT)} and, where wanted, {', '.join(_LEFT_OUT)}: "
            "add the ones, rename or delete the others"
        )
    sources = _sources(path.parent / OWN_PHOTOS)
    recipes: list[Recipe] = []
    for position, row in enumerate(table.to_dict("records"), 1):
        recipes += _scenes_of(
            {str(k): str(v).strip() for k, v in row.items()}, f"{path} row {position} ({row['name']})", sources
        )
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: scene names must be unique, found twice: {', '.join(twice)}")
    _refuse_photos_in_two_splits(recipes, path)
    return recipes


def _sources(folder: Path) -> Sources:
    """Every photo that a table may name: the wheels' and its folder's own."""
    sources = {name: name for name in PHOTO_NAMES}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.stem in sources:
            raise DataError(f"{file}: there is another photo named {file.stem!r}; rename this one")
        sources[file.stem] = str(file)
    return sources


def _refuse_photos_in_two_splits(recipes: list[Recipe], path: Path) -> None:
    splits: dict[str, str] = {}
    for recipe in recipes:
        for photo in recipe.photos:
            if splits.setdefault(photo, recipe.split) != recipe.split:
                raise DataError(
                    f"{path}: photo {Path(photo).stem!r} is in {splits[photo]} and in {recipe.split} ({recipe.name}): "
                    "a photo belongs to one split"
                )
