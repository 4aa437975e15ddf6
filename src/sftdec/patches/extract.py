"""Windows of a scene, and what is worth training on."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets import Scene
from sftdec.photos import defocus_levels

STATISTICS = ("sigma_mean", "sharpness", "brightness")


@dataclass(frozen=True)
class Patch:
    """One window, S×S: ``blurred`` and ``sharp`` uint8 S×S×3, ``defocus`` uint16 S×S, and where it was cut.

    ``grey``: the mean of the sharp picture's channels, float32 S×S; windows that overlap share it.
    """

    scene: str
    dataset: str
    top: int
    left: int
    blurred: NDArray[np.uint8]
    sharp: NDArray[np.uint8]
    defocus: NDArray[np.uint16]
    sigma_max: float
    grey: NDArray[np.float32]

    @cached_property
    def sharpness(self) -> float:
        """Mean gradient of the sharp picture, grey levels a px."""
        return float(np.abs(np.diff(self.grey, axis=0)).mean() + np.abs(np.diff(self.grey, axis=1)).mean())

    def statistics(self) -> dict[str, float]:
        """Mean blur (px of sigma), sharpness (grey levels a px) and brightness (0..255)."""
        return {
            "sigma_mean": float(self.defocus.mean() / 65535 * self.sigma_max),
            "sharpness": self.sharpness,
            "brightness": float(np.ascontiguousarray(self.grey).mean()),
        }


def windows(length: int, size: int, stride: int) -> list[int]:
    """Starts of windows of ``size`` along ``length`` px: every ``stride``, and one flush with the end."""
    starts = list(range(0, length - size + 1, stride))
    if starts and starts[-1] != length - size:
        starts.append(length - size)
    return starts


def extract_patches(scene: Scene, size: int, stride: int) -> Iterator[Patch]:
    """Every window of a scene, row by row; none if the scene is smaller than a window.

    A stride below the size makes windows overlap.
    """
    height, width = scene.defocus.shape
    levels = defocus_levels(scene.defocus)
    grey = scene.sharp.mean(axis=2, dtype=np.float32)
    for top in windows(height, size, stride):
        for left in windows(width, size, stride):
            cut = (slice(top, top + size), slice(left, left + size))
            pictures = scene.blurred[cut], scene.sharp[cut], levels[cut]
            yield Patch(scene.name, scene.dataset, top, left, *pictures, scene.sigma_max, grey[cut])
