"""Recipes: a table in which each row tells how to render a number of scenes.

A cell holds one value, a choice ``a|b|c`` of words, or a range ``lo..hi`` (drawn log-uniformly); what is open is drawn
from the row's seed and the scene's number, so a table of a few KB stands for hundreds of scenes, the same everywhere.
Photos are named: those of ``photos.py``, and the files of a folder ``photos`` beside the table by their stems.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sftdec.datasets.depth import DEPTH_MODELS
from sftdec.datasets.photos import DISPARITY_NAMES, PHOTO_NAMES
from sftdec.optics import PSF_SHAPES
from sftdec.runtime import DataError

SPLITS = ("train", "validation", "test")
CONTENTS = ("photo", "leaves")
OWN_PHOTOS = "photos"


@dataclass(frozen=True)
class Recipe:
    """One scene to render: photo (names, for textures), geometry, lens and noise; lengths as the names say."""

    name: str
    split: str
    content: str  # photo: one of the photos; leaves: dead leaves, with textures of all of them
    photos: tuple[str, ...]  # as ``photos.recipe_photo`` takes them
    scale: float  # the photo is shrunk by this first
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
    max_coc_px: float  # radius; the lens is stopped down until the scene's largest circle of confusion has it
    psf: str
    blades: int
    softness_px: float  # sigma of the lens's and sensor's own blur, in the sharp and in the blurred picture alike
    shot_noise: float
    read_noise: float
    seed: int
    number: int
    gamma: float = 0.0  # of the light that blur forms in, as ``optics.to_light`` has it; 0: sRGB's curve

    def generator(self) -> np.random.Generator:
        """The scene's own source of random numbers."""
        return np.random.default_rng([self.seed, self.number, 1])


Sources = dict[str, str]  # a photo's name in the table → what ``photos.recipe_photo`` takes
_CHOICES = {"split": SPLITS, "content": CONTENTS, "depth": DEPTH_MODELS, "psf": PSF_SHAPES}
_INTEGERS = ("count", "height", "width", "blades", "seed")
_DRAWN = tuple(field.name for field in fields(Recipe) if field.name not in ("name", "split", "photos", "number"))
_COLUMNS = ("name", "split", "count", "photo", *_DRAWN)
_LEFT_OUT = {"gamma": "0"}  # columns that a table may do without
_MINIMUM = {
    "count": 1,
    "height": 0,
    "width": 0,
    "blades": 3,
    "seed": 0,
    "softness_px": 0,
    "shot_noise": 0,
    "read_noise": 0,
    "focus": 0,
    "gamma": 0,
}
_GAMMAS = (0.5, 4.0)
_ABOVE_ZERO = ("scale", "near_m", "far_m", "focal_length_mm", "pixel_pitch_um", "max_coc_px")


def _number(text: str, key: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}, {key}: found {text!r}, expected a number or a range lo..hi") from None
    if not np.isfinite(value) or (key in _ABOVE_ZERO and value <= 0) or value < _MINIMUM.get(key, -np.inf):
        limit = "above 0" if key in _ABOVE_ZERO else f"{_MINIMUM.get(key, 'finite')} or more"
        raise DataError(f"{where}, {key}: found {text}, expected {limit}")
    if key == "gamma" and value != 0 and not _GAMMAS[0] <= value <= _GAMMAS[1]:
        raise DataError(
            f"{where}, gamma: found {text}, expected {_GAMMAS[0]} to {_GAMMAS[1]}, or 0 alone: sRGB's curve"
        )
    if key == "focus" and value > 1:
        raise DataError(f"{where}, focus: found {text}, expected 1 or less")
    if key in _INTEGERS and value != int(value):
        raise DataError(f"{where}, {key}: found {text}, expected a whole number")
    return value


def _options(text: str, key: str, where: str, allowed: Collection[str]) -> list[str]:
    options = [option.strip() for option in text.split("|")]
    for option in options:
        if option not in allowed:
            raise DataError(f"{where}, {key}: found {option!r}, expected one of {', '.join(allowed)}")
    return options


def _drawn(text: str, key: str, where: str, generator: np.random.Generator, sources: Sources) -> Any:
    """The value of a cell for one scene; every cell uses up one random number, so cells don't disturb each other."""
    share = float(generator.random())
    if key in _CHOICES or key == "photo":
        options = _options(text, key, where, sources if key == "photo" else _CHOICES[key])
        return options[int(share * len(options))]
    if ".." in text:
        low, high = (_number(part, key, where) for part in text.split("..", 1))
        if key == "gamma" and low == 0:
            raise DataError(
                f"{where}, gamma: the range {text} begins at 0, which is sRGB's curve; give sRGB its own row"
            )
        if not low <= high:
            raise DataError(f"{where}, {key}: the range {text} is empty, expected lo..hi with lo <= hi")
        if key in _INTEGERS:
            return int(low + share * (high - low + 1))
        return low * (high / low) ** share if low > 0 else low + share * (high - low)
    value = _number(text, key, where)
    return int(value) if key in _INTEGERS else value


def _scenes_of(row: dict[str, str], where: str, sources: Sources) -> list[Recipe]:
    seed, count = (int(_number(row[key], key, where)) for key in ("seed", "count"))
    photos = tuple(sources[name] for name in _options(row["photo"], "photo", where, sources))
    recipes = []
    for number in range(count):
        generator = np.random.default_rng([seed, number, 0])
        drawn = {
            key: _drawn(row[key], key, where, generator, sources) for key in _COLUMNS if key not in ("name", "count")
        }
        photo = drawn.pop("photo")
        drawn["photos"] = photos if drawn["content"] == "leaves" else (sources[photo],)
        if drawn["near_m"] > drawn["far_m"]:
            raise DataError(f"{where}, near_m: found {drawn['near_m']}, expected at most far_m={drawn['far_m']}")
        if (drawn["depth"] == "layers") > (drawn["content"] == "leaves"):
            raise DataError(
                f"{where}, depth: 'layers' is the depth of leaves; a photo has {', '.join(DEPTH_MODELS[:-1])}"
            )
        if drawn["depth"] == "disparity" and (drawn["content"] == "leaves" or photo not in DISPARITY_NAMES):
            raise DataError(
                f"{where}, depth: found 'disparity' for {photo!r} as {drawn['content']}, but none was measured; "
                f"expected a photo that has one ({', '.join(DISPARITY_NAMES)}) or another depth"
            )
        name = row["name"] if count == 1 else f"{row['name']}_{number:03d}"
        recipes.append(Recipe(name=name, number=number, **drawn))
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
        raise DataError(f"{path}: columns missing: {sorted(missing) or 'none'}; unknown: {sorted(unknown) or 'none'}")
    sources = _sources(path.parent / OWN_PHOTOS)
    recipes: list[Recipe] = []
    for number, row in enumerate(table.to_dict("records")):
        recipes += _scenes_of(
            {str(k): str(v).strip() for k, v in row.items()}, f"{path} row {number + 1} ({row['name']})", sources
        )
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: scene names must be unique, found twice: {', '.join(twice)}")
    _refuse_photos_in_two_splits(recipes, path)
    return recipes


def _sources(folder: Path) -> Sources:
    """Every photo that a table may name: the wheels' and its folder's own.

    Raises:
        DataError: two photos of one name.
    """
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
