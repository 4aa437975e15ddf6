"""Occlusion-aware rendering in linear light: layers from far to near, each blurred by its own circle of confusion.

A layer that is out of focus spreads beyond its outline and lets what is behind it shine through there; one that is
in focus covers exactly its own pixels, and no light of it reaches a blurred layer behind.

H, W: picture; K: layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from sftdec.optics.psf import Aperture, point_spread_function

_SHARP = 0.2  # px: a circle of confusion below this moves no 8-bit level worth the transform
_DISC = Aperture()
_NODES = (0.0, 0.5, 1.0)  # shares of the sides at which a circle that changes over the picture is drawn


@dataclass(frozen=True)
class Layer:
    """A sheet at one depth: ``colour`` H×W×3 in linear light (0..1), ``alpha`` H×W coverage (0..1) and the signed
    ``radius`` (px) of its circle of confusion. Colour where alpha is 0 is never seen.
    """

    colour: NDArray[np.float32]
    alpha: NDArray[np.float32]
    radius: float


def _convolve(image: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolution of H×W×C with K×K, mirrored at the border."""
    half = kernel.shape[0] // 2
    padded = np.pad(image, ((half, half), (half, half), (0, 0)), mode="symmetric")
    shape = [fft.next_fast_len(n, real=True) for n in padded.shape[:2]]
    spectrum = fft.rfft2(padded, shape, axes=(0, 1)) * fft.rfft2(kernel, shape)[..., None]
    full = fft.irfft2(spectrum, shape, axes=(0, 1))
    return np.asarray(full[2 * half : 2 * half + image.shape[0], 2 * half : 2 * half + image.shape[1]], np.float32)


def _node_weights(length: int) -> NDArray[np.float32]:
    """How much each of ``_NODES`` counts along a side of so many px, 3×length, sum 1 at each: linear between them."""
    places = (np.arange(length) + 0.5) / length
    return np.asarray([np.clip(1 - np.abs(places - node) / 0.5, 0, 1) for node in _NODES], np.float32)


def _spread(sheet: NDArray[np.float32], radius: float, aperture: Aperture) -> NDArray[np.float32]:
    """A sheet H×W×C through an aperture, whose circle may change towards the corners: drawn at nine places, linear
    between them. Two places on opposite sides of the middle have one circle.
    """
    if abs(radius) < _SHARP:
        return sheet
    shape, blades, rim = aperture.shape, aperture.blades, aperture.rim
    if aperture.corner == 0 or shape == "gaussian":
        return _convolve(sheet, point_spread_function(radius, shape, blades, rim))
    rows, columns = _node_weights(sheet.shape[0]), _node_weights(sheet.shape[1])
    shares: dict[tuple[float, float], NDArray[np.float32]] = {}  # of each circle, H×W
    for (i, down), (j, across) in product(enumerate(_NODES), enumerate(_NODES)):
        y, x = (down - 0.5) * 2, (across - 0.5) * 2
        circle = (aperture.corner * float(np.hypot(y, x)) / float(np.sqrt(2)), float(np.arctan2(y, x)) % np.pi)
        shares[circle] = shares.get(circle, np.float32(0)) + rows[i][:, None] * columns[j]
    spread = np.zeros_like(sheet)
    for (cut, angle), share in shares.items():
        spread += share[..., None] * _convolve(sheet, point_spread_function(radius, shape, blades, rim, cut, angle))
    return spread


def _through(layer: Layer, aperture: Aperture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A layer's premultiplied colour H×W×3 and coverage, H×W×1 or, where colours have circles of their own, H×W×3."""
    sheet = np.concatenate([layer.colour * layer.alpha[..., None], layer.alpha[..., None]], axis=2)
    if aperture.fringe_px == 0:
        sheet = _spread(sheet, float(layer.radius), aperture)
        return sheet[..., :3], np.clip(sheet[..., 3:], 0, 1)
    radii = (float(layer.radius) + shift for shift in (aperture.fringe_px, 0.0, -aperture.fringe_px))
    parts = [_spread(sheet[..., [channel, 3]], radius, aperture) for channel, radius in enumerate(radii)]
    colour, alpha = (np.stack([part[..., which] for part in parts], axis=2) for which in (0, 1))
    return colour, np.clip(alpha, 0, 1)


def _compose(layers: Sequence[Layer], aperture: Aperture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Premultiplied colour H×W×3 and coverage (``_through``'s) of layers, from far to near."""
    picture = np.zeros_like(layers[0].colour)
    coverage = np.zeros((*layers[0].alpha.shape, 1), np.float32)
    for layer in layers:
        colour, alpha = _through(layer, aperture)
        picture = picture * (1 - alpha) + colour
        coverage = coverage * (1 - alpha) + alpha
    return np.maximum(picture, 0), coverage


def render_layers(layers: Sequence[Layer], aperture: Aperture = _DISC) -> NDArray[np.float32]:
    """Render layers, ordered from far to near, into one picture H×W×3 in linear light.

    The farthest layer must cover the whole picture. For each layer the premultiplied colour and the coverage are
    blurred alike and composed over what lies behind: exact for two layers, an approximation of what a lens sees
    where three or more overlap within one circle of confusion.

    Raises:
        ValueError: no layer, layers of unequal size, or a farthest layer with holes.
    """
    if not layers:
        raise ValueError("nothing to render: at least one layer is needed")
    shape = layers[0].colour.shape
    for number, layer in enumerate(layers):
        if layer.colour.shape != shape or layer.alpha.shape != shape[:2]:
            raise ValueError(
                f"layer {number} has colour {layer.colour.shape} and alpha {layer.alpha.shape}, expected {shape} and "
                f"{shape[:2]} as layer 0 has"
            )
    if layers[0].alpha.min() < 1:
        raise ValueError("the farthest layer must cover the whole picture (alpha 1 everywhere)")
    return _compose(layers, aperture)[0]


def _surface(photo: NDArray[np.float32], snapped: NDArray[np.float32], level: float, step: float) -> Layer:
    """The layer of one level of radius: what is seen of it, and what of it nearer things hide.

    Radii a little nearer belong to the same surface, so that a slope has no seams. Behind what is much nearer, the
    surface goes on where the nearest pixel beside that thing is of it; colours go on with it.
    """
    same_surface = 2 * step + 0.25 * abs(level)  # px of radius
    seen = (snapped <= level) & (snapped > level - same_surface)
    hidden = snapped <= level - same_surface
    if not hidden.any():
        return Layer(photo, seen.astype(np.float32), level)
    rows, columns = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return Layer(photo[rows, columns], seen[rows, columns].astype(np.float32), level)


def render_photo(
    photo: NDArray[np.float32],
    radius: NDArray[np.float32],
    aperture: Aperture = _DISC,
    step: float = 0.5,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Render an all-in-focus photo, H×W×3 in linear light, through a lens with these signed radii, H×W in px.

    Radii are snapped to multiples of ``step`` px, a layer each. What a nearer thing hides is continued from beside
    it, since one photo doesn't show it.

    Returns:
        The rendered picture, H×W×3 in linear light, and the signed radii as rendered, H×W in px.

    Raises:
        ValueError: sizes that differ, or a radius that is not finite.
    """
    if photo.shape[:2] != radius.shape:
        raise ValueError(f"the photo is {photo.shape[:2]} and the radii are {radius.shape}: both must be of one size")
    if not np.isfinite(radius).all():
        raise ValueError("radii must be finite: the map holds NaN or infinity, fill it first")
    snapped = np.asarray(np.round(radius / step) * step, np.float32)
    layers = [_surface(photo, snapped, float(level), step) for level in np.unique(snapped)[::-1]]
    picture, coverage = _compose(layers, aperture)
    return np.asarray(picture / np.maximum(coverage, 1e-6), np.float32), snapped
