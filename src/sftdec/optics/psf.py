"""Point-spread functions of one circle of confusion: disc, Gaussian, polygon."""

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

PsfShape = Literal["disc", "gaussian", "polygon"]
PSF_SHAPES: tuple[str, ...] = get_args(PsfShape)

_SUBSAMPLES = 9  # per pixel and axis: the edge of a disc is exact to about a hundredth of its pixel


def sigma_of_radius(radius: float) -> float:
    """Gaussian-equivalent standard deviation (px) of a disc of this radius (px): equal second moment, r/2."""
    return radius / 2


@lru_cache(maxsize=1024)
def point_spread_function(radius: float, shape: PsfShape = "disc", blades: int = 6) -> NDArray[np.float32]:
    """The light of one point on the sensor, K×K with K odd, sum 1.

    ``radius`` (px) is that of the circle of confusion and signed as in ``ThinLens.coc_radius``: before the focus
    a polygon stands upside down. A Gaussian has sigma = radius / 2 and is cut at four sigma; a polygon has its
    corners at the circle that makes its area the disc's. Radius 0 gives a single 1.

    Raises:
        ValueError: an unknown shape or fewer than three blades.
    """
    if shape not in PSF_SHAPES:
        raise ValueError(f"psf shape {shape!r} is unknown: one of {', '.join(PSF_SHAPES)}")
    if blades < 3:
        raise ValueError(f"an aperture needs at least 3 blades, found {blades}")
    size = abs(radius)
    if size < 1e-3:
        return np.ones((1, 1), np.float32)
    corner = size * float(np.sqrt(2 * np.pi / (blades * np.sin(2 * np.pi / blades))))
    reach = {"disc": size, "gaussian": 2 * size, "polygon": corner}[shape]
    half = max(1, int(np.ceil(reach - 0.5)))
    offsets = (np.arange((2 * half + 1) * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5 - half
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    if shape == "gaussian":
        light = np.exp(-(x**2 + y**2) / (2 * sigma_of_radius(size) ** 2))
    elif shape == "disc":
        light = (x**2 + y**2 <= size**2).astype(np.float64)
    else:
        angles = 2 * np.pi * np.arange(blades) / blades
        apothem = corner * np.cos(np.pi / blades)
        side = np.sign(radius)
        light = np.all([side * (x * np.sin(a) + y * np.cos(a)) <= apothem for a in angles], axis=0).astype(np.float64)
    pixels = light.reshape(2 * half + 1, _SUBSAMPLES, 2 * half + 1, _SUBSAMPLES).mean(axis=(1, 3))
    kernel: NDArray[np.float32] = np.asarray(pixels / pixels.sum(), np.float32)
    kernel.flags.writeable = False
    return kernel
