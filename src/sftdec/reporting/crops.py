"""Which two windows of a picture are worth a closer look."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.evaluation import Picture, psnr

if TYPE_CHECKING:
    from sftdec.datasets import Scene

FloatArray = NDArray[np.float64]


class Crop(NamedTuple):
    """A square window of a picture: its top row, its left column and its side, in px."""

    top: int
    left: int
    side: int

    def of(self, picture: Picture) -> Picture:
        """The window of `picture`, H×W×3 or H×W, as a view."""
        return picture[self.top : self.top + self.side, self.left : self.left + self.side]

    def overlaps(self, other: "Crop") -> bool:
        """Whether the two windows share a pixel."""
        rows = self.top < other.top + other.side and other.top < self.top + self.side
        columns = self.left < other.left + other.side and other.left < self.left + self.side
        return rows and columns


def choose_crops(scene: "Scene", deblurred: Picture) -> tuple[Crop, Crop]:
    """Two windows, a quarter of the short side wide (at least 8 px), the same ones for equal pictures.

    The first lies where the blur is strongest on something textured; the second where the PSNR rose by what
    it rose by in the whole picture, preferring, among such windows, one that was far from sharp. They don't
    overlap where the picture has room.
    """
    windows = _windows(*scene.sharp.shape[:2])
    sharp = scene.sharp.astype(np.float64)
    texture = _window_means(_gradient(sharp.mean(axis=2)), windows)
    defocus = _window_means(scene.defocus.astype(np.float64), windows)
    before = _window_means(np.square(scene.blurred - sharp).mean(axis=2), windows)
    after = _window_means(np.square(deblurred - sharp).mean(axis=2), windows)

    typical_texture = float(np.median(texture)) + 1e-6
    strongest = windows[int(np.argmax(defocus * texture / (texture + typical_texture)))]

    whole = psnr(deblurred, scene.sharp) - psnr(scene.blurred, scene.sharp)
    gain = 10 * np.log10((before + 1e-3) / (after + 1e-3))
    distance = np.abs(gain - (whole if np.isfinite(whole) else float(np.median(gain))))
    distance[texture < typical_texture / 2] = np.inf
    apart = np.array([not window.overlaps(strongest) for window in windows])
    if apart.any():
        distance[~apart] = np.inf
    nearest = np.argsort(distance, kind="stable")[: max(1, len(windows) // 20)]
    nearest = nearest[distance[nearest] <= distance[nearest[0]] + 0.25]
    return strongest, windows[int(nearest[np.argmax(before[nearest])])]


def _windows(height: int, width: int) -> list[Crop]:
    """Windows on a lattice of a quarter of their side; the last row and column touch the border."""
    side = min(height, width, max(8, min(height, width) // 4))
    step = max(1, side // 4)
    tops = sorted({*range(0, height - side + 1, step), height - side})
    lefts = sorted({*range(0, width - side + 1, step), width - side})
    return [Crop(top, left, side) for top in tops for left in lefts]


def _window_means(values: FloatArray, windows: list[Crop]) -> FloatArray:
    """Mean of `values` (H×W) in each window, through one summed-area table."""
    table = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    top, left, side = np.array(windows).T
    sums = table[top + side, left + side] - table[top, left + side] - table[top + side, left] + table[top, left]
    means: FloatArray = sums / side**2
    return means


def _gradient(grey: FloatArray) -> FloatArray:
    """Mean absolute difference to the right and lower neighbour, H×W."""
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    mean: FloatArray = (across + down) / 2
    return mean
