"""The pictures that an evaluation keeps: panels, a contact sheet, and comparisons for the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.evaluation import Picture
from sftdec.photos import coloured
from sftdec.reporting.figures import Tile, contact_sheet, panel, reduced, split_tile
from sftdec.reporting.style import save_figure
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    from sftdec.datasets import Scene

COMPARISON_WIDTH = 960  # px; a report needs no more
PICTURES = ("blurred", "deblurred", "defocus", "estimate")
LIST = "comparisons.csv"


class Comparison(NamedTuple):
    """A picture before and after, and its true and estimated map in colours: uint8 h×w×3, at most 960 px wide."""

    dataset: str
    scene: str
    blurred: Picture
    deblurred: Picture
    defocus: Picture
    estimate: Picture


def file_name(scene: str) -> str:
    """A scene's name as that of a file, without its ending."""
    return scene.replace("/", "__")


class Gallery:
    """Gathers pictures while a network is evaluated: pass the gallery itself as `on_scene`.

    The first `per_dataset` scenes of each data set become a panel (`<folder>/<scene>.png`, a slash in the
    scene's name as `__`) and a `Comparison`; the first `tiles` scenes of all stand on the contact sheet.
    """

    def __init__(self, folder: Path, per_dataset: int = 6, tiles: int = 48) -> None:
        self.folder = folder
        self.comparisons: list[Comparison] = []
        self._per_dataset = per_dataset
        self._room = tiles
        self._tiles: list[Tile] = []

    def __call__(self, scene: "Scene", deblurred: Picture, estimate: NDArray[np.float32]) -> None:
        """Keep what there is room for of one scene: deblurred picture uint8 H×W×3, map H×W in 0..1."""
        if len(self._tiles) < self._room:
            self._tiles.append(split_tile(scene, deblurred))
        if sum(kept.dataset == scene.dataset for kept in self.comparisons) < self._per_dataset:
            save_figure(panel(scene, deblurred, estimate), self.folder / f"{file_name(scene.name)}.png")
            pictures = (scene.blurred, deblurred, coloured(scene.defocus), coloured(estimate))
            small = (reduced(picture, COMPARISON_WIDTH) for picture in pictures)
            self.comparisons.append(Comparison(scene.dataset, scene.name, *small))

    def write_contact_sheet(self) -> Path:
        """Write `<folder>/contact_sheet.png` of the scenes seen and return its path.

        Raises:
            ValueError: no scene was seen.
        """
        return save_figure(contact_sheet(self._tiles), self.folder / "contact_sheet.png")


def save_comparisons(folder: Path, comparisons: Sequence[Comparison]) -> None:
    """Write comparisons for `load_comparisons`: PNG files, and a list of them in their order.

    Raises:
        OSError: a file can't be written.
    """
    from PIL import Image

    for pair in comparisons:
        for name in PICTURES:
            with atomic_path(folder / f"{file_name(pair.scene)}.{name}.png") as temporary:
                Image.fromarray(getattr(pair, name)).save(temporary, format="PNG")
    named = pd.DataFrame([(pair.dataset, pair.scene) for pair in comparisons], columns=["dataset", "scene"])
    with atomic_path(folder / LIST) as temporary:
        named.to_csv(temporary, index=False)


def load_comparisons(folder: Path) -> list[Comparison]:
    """The comparisons that `save_comparisons` wrote, in its order, bit by bit.

    Raises:
        ValueError: the folder holds no list of comparisons.
        OSError: a picture is missing or can't be read.
    """
    from PIL import Image

    if not (folder / LIST).is_file():
        raise ValueError(f"{folder / LIST}: there is no such file; run the stage that makes it: dvc repro evaluate")
    named = pd.read_csv(folder / LIST, dtype=str, keep_default_na=False)
    found = []
    for dataset, scene in named[["dataset", "scene"]].itertuples(index=False):
        pictures = []
        for name in PICTURES:
            with Image.open(folder / f"{file_name(scene)}.{name}.png") as image:
                pictures.append(np.asarray(image.convert("RGB")))
        found.append(Comparison(dataset, scene, *pictures))
    return found
