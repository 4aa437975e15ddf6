"""Classical methods measured like any network: a defocus map from somewhere, and deconvolution with it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from sftdec.classical import deconvolve, karaali_jung_map, zhuo_sim_map
from sftdec.evaluation.evaluate import OnScene, evaluate_network
from sftdec.networks import Restoration
from sftdec.optics import PsfShape

if TYPE_CHECKING:
    from sftdec.datasets import Scene
    from sftdec.networks import SFTDec

SigmaOf = Callable[["Scene"], NDArray[np.float32]]
"""From a scene to sigma in px, H×W. All but the oracle look at the blurred picture only."""

MAP_SOURCES: dict[str, SigmaOf] = {
    "karaali_jung": lambda scene: karaali_jung_map(scene.blurred),
    "oracle": lambda scene: scene.defocus * np.float32(scene.sigma_max),
    "zhuo_sim": lambda scene: zhuo_sim_map(scene.blurred),
}
"""The names that ``sftdec evaluate --model`` knows besides weights; ``oracle`` is the true map."""


def map_of_network(network: "SFTDec", device: str = "cpu") -> SigmaOf:
    """The map that a network on ``device`` predicts, as a source of maps for the deconvolution."""
    from sftdec.inference import deblur_array

    def sigma_of(scene: "Scene") -> NDArray[np.float32]:
        return deblur_array(network, scene.blurred, device)[1] * np.float32(network.config.sigma_max)

    return sigma_of


@dataclass(frozen=True)
class _Unit:
    """What a network's configuration says of its map: the sigma (px) of 1."""

    sigma_max: float


class Deconvolution:
    """Called like a network, with the blurred picture of the scene that ``follow`` handed out last."""

    def __init__(self, sigma_of: SigmaOf, psf: PsfShape) -> None:
        self.sigma_of, self.psf = sigma_of, psf
        self._scene: Scene | None = None

    def follow(self, scenes: "Iterable[Scene]") -> "Iterator[Scene]":
        """The same scenes, each noted as it passes: its map is wanted next."""
        for scene in scenes:
            self._scene = scene
            yield scene

    @property
    def config(self) -> _Unit:
        """The map is in the unit of the scene at hand."""
        return _Unit(self._current().sigma_max)

    def __call__(self, blurred: Tensor) -> Restoration:
        """1×3×H×W (sRGB, 0..1) → deblurred 1×3×H×W and the map 1×1×H×W in units of the scene's sigma_max."""
        scene = self._current()
        sigma = self.sigma_of(scene)
        picture = blurred[0].permute(1, 2, 0).cpu().numpy()
        restored = torch.from_numpy(deconvolve(picture, sigma, self.psf)).permute(2, 0, 1)[None]
        return Restoration(restored, torch.from_numpy(sigma / np.float32(scene.sigma_max))[None, None])

    def _current(self) -> "Scene":
        if self._scene is None:
            raise RuntimeError("no scene has been handed out: iterate over follow(scenes)")
        return self._scene


def evaluate_deconvolution(
    sigma_of: SigmaOf, scenes: "Iterable[Scene]", psf: PsfShape = "gaussian", on_scene: OnScene | None = None
) -> pd.DataFrame:
    """As ``evaluate_network``: the maps of ``sigma_of`` and what deconvolution with them makes of the scenes.

    Raises:
        ValueError: as ``evaluate_network``.
    """
    model = Deconvolution(sigma_of, psf)
    return evaluate_network(cast("SFTDec", model), model.follow(scenes), "cpu", on_scene)
