"""Point-spread functions of one circle of confusion: disc, Gaussian, polygon, and what lenses make of their edges."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

PsfShape = Literal["disc", "gaussian", "polygon"]
PSF_SHAPES: tuple[str, ...] = get_args(PsfShape)

_SUBSAMPLES = 9  # per pixel and axis: the edge of a disc is exact to about a hundredth of its pixel
_UNIT = 200  # samples across a circle of confusion, by which its second moment is found


@dataclass(frozen=True)
class Aperture:
    """What a lens makes of a point that is out of focus.

    - ``rim``: how much brighter (or, below 0, darker) the disc is at its edge than in the middle, as a share: spherical
      aberration
    - ``corner``: by how many of its radii the barrel's second edge is shifted over the disc in the picture's corners,
      so that it becomes a cat's eye there; in the middle it is whole
    - ``fringe_px``: by how much red's signed radius lies above green's, and blue's below it: what is behind the focus
      gets a red fringe and what is before it a blue one

    A Gaussian has no edge: ``rim`` and ``corner`` leave it as it is.
    """

    shape: PsfShape = "disc"
    blades: int = 6
    rim: float = 0.0
    corner: float = 0.0
    fringe_px: float = 0.0


class _Circle(NamedTuple):
    """All that tells one circle of confusion of radius 1 from another."""

    shape: PsfShape
    blades: int
    rim: float
    cut: float
    angle: float


def sigma_of_radius(radius: float) -> float:
    """Gaussian-equivalent standard deviation (px) of a disc of this radius (px): equal second moment, r/2."""
    return radius / 2


@lru_cache(maxsize=1024)
def point_spread_function(
    radius: float,
    shape: PsfShape = "disc",
    blades: int = 6,
    rim: float = 0.0,
    cut: float = 0.0,
    angle: float = 0.0,
) -> NDArray[np.float32]:
    """The light of one point on the sensor, K×K with K odd, sum 1.

    ``radius`` (px) is that of the circle of confusion and signed as in ``ThinLens.coc_radius``: before the focus
    a polygon stands upside down. A Gaussian has sigma = radius / 2 and is cut at four sigma; a polygon has its
    corners at the circle that makes its area the disc's. Radius 0 gives a single 1.

    ``rim`` is ``Aperture``'s; ``cut`` (radii) and ``angle`` (from the columns' axis to the rows') say how far and along
    which line two edges are shifted against each other. Both keep the centre and the second moment, so that pictures
    stay aligned and a map says the same of every aperture: a bright rim is that of a smaller disc, a cat's eye is
    longer than the disc was wide.

    Raises:
        ValueError: an unknown shape or fewer than three blades.
    """
    if shape not in PSF_SHAPES:
        raise ValueError(f"psf shape {shape!r} is unknown: one of {', '.join(PSF_SHAPES)}")
    if blades < 3:
        raise ValueError(f"an aperture needs at least 3 blades, found {blades}")
    if abs(radius) < 1e-3:
        return np.ones((1, 1), np.float32)
    circle = _Circle(shape, blades, rim, cut, angle)
    larger, down, across = _fitted(circle)
    size = abs(radius) * larger
    reach = {"disc": size, "gaussian": 2 * size, "polygon": size * _corner(blades)}[shape]
    half = max(1, int(np.ceil(reach + size * np.hypot(down, across) - 0.5)))
    offsets = (np.arange((2 * half + 1) * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5 - half
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    signed = float(np.copysign(size, radius))
    light = _light(x + across * signed, y + down * signed, signed, circle)
    pixels = light.reshape(2 * half + 1, _SUBSAMPLES, 2 * half + 1, _SUBSAMPLES).mean(axis=(1, 3))
    kernel: NDArray[np.float32] = np.asarray(pixels / pixels.sum(), np.float32)
    kernel.flags.writeable = False
    return kernel


def _corner(blades: int) -> float:
    """Where a polygon's corners lie that has the unit disc's area."""
    return float(np.sqrt(2 * np.pi / (blades * np.sin(2 * np.pi / blades))))


def _light(x: NDArray[np.float64], y: NDArray[np.float64], radius: float, circle: _Circle) -> NDArray[np.float64]:
    """Light at offsets x and y (px, any shape) from a point whose circle has this signed radius; not of sum 1."""
    size, reach = abs(radius), abs(radius)
    if circle.shape == "gaussian":
        return np.asarray(np.exp(-(x**2 + y**2) / (2 * sigma_of_radius(size) ** 2)))
    if circle.shape == "disc":
        light = (x**2 + y**2 <= size**2).astype(np.float64)
    else:
        reach = size * _corner(circle.blades)
        angles = 2 * np.pi * np.arange(circle.blades) / circle.blades
        apothem, side = reach * np.cos(np.pi / circle.blades), np.sign(radius)
        light = np.all([side * (x * np.sin(a) + y * np.cos(a)) <= apothem for a in angles], axis=0).astype(np.float64)
    if circle.rim != 0:
        light *= np.maximum(1 + circle.rim * (x**2 + y**2) / size**2, 0)
    if circle.cut != 0:
        across, down = (circle.cut / 2 * size * part(circle.angle) for part in (np.cos, np.sin))
        for sign in (-1, 1):
            light *= (x + sign * across) ** 2 + (y + sign * down) ** 2 <= reach**2
    return light


@lru_cache(maxsize=4096)
def _fitted(circle: _Circle) -> tuple[float, float, float]:
    """By how much a circle has to be larger to have the second moment that it has without ``rim`` and ``cut``; and
    where its centre of light lies, in radii down and across.
    """
    if circle.shape == "gaussian" or (circle.rim == 0 and circle.cut == 0):
        return 1.0, 0.0, 0.0
    reach = 1.0 if circle.shape == "disc" else _corner(circle.blades)
    offsets = ((np.arange(_UNIT) + 0.5) / _UNIT * 2 - 1) * reach
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    found = []
    for each in (circle._replace(rim=0.0, cut=0.0), circle):
        light = _light(x, y, 1.0, each)
        light /= light.sum()
        down, across = float((light * y).sum()), float((light * x).sum())
        found.append((float((light * ((y - down) ** 2 + (x - across) ** 2)).sum()), down, across))
    (plain, _, _), (shaped, down, across) = found
    return float(np.sqrt(plain / shaped)), down, across
