"""The pictures that an evaluation keeps: panels, a contact sheet and pairs for the report."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.evaluation.figures import Tile, contact_sheet, panel, reduced, split_tile
from sftdec.evaluation.metrics import Picture
from sftdec.evaluation.style import save_figure

if TYPE_CHECKING:
    from sftdec.datasets.scene import Scene

COMPARISON_WIDTH = 960  # px; a report needs no more


class Comparison(NamedTuple):
    """A picture before and after, uint8 h×w×3 at most 960 px wide; the PNG file of its panel, if made."""

    dataset: str
    scene: str
    blurred: Picture
    deblurred: Picture
    panel: Path | None = None


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
            path = self.folder / f"{scene.name.replace('/', '__')}.png"
            save_figure(panel(scene, deblurred, estimate), path)
            pair = (reduced(scene.blurred, COMPARISON_WIDTH), reduced(deblurred, COMPARISON_WIDTH))
            self.comparisons.append(Comparison(scene.dataset, scene.name, *pair, path))

    def write_contact_sheet(self) -> Path:
        """Write `<folder>/contact_sheet.png` of the scenes seen and return its path.

        Raises:
            ValueError: no scene was seen.
        """
        return save_figure(contact_sheet(self._tiles), self.folder / "contact_sheet.png")
