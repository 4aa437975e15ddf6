"""Occlusion-aware rendering in linear light: layers from far to near, each blurred by its own circle of confusion.

A layer that is out of focus spreads beyond its outline and lets what is behind it shine through there; one that is
in focus covers exactly its own pixels, and no light of it reaches a blurred layer behind.

H, W: picture; K: layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from sftdec.optics.psf import PsfShape, point_spread_function

_SHARP = 0.2  # px: a circle of confusion below this moves no 8-bit level worth the transform


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


def _compose(layers: Sequence[Layer], psf: PsfShape, blades: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Premultiplied colour H×W×3 and coverage H×W×1 of layers, from far to near, each blurred alike in both."""
    picture = np.zeros_like(layers[0].colour)
    coverage = np.zeros((*layers[0].alpha.shape, 1), np.float32)
    for layer in layers:
        sheet = np.concatenate([layer.colour * layer.alpha[..., None], layer.alpha[..., None]], axis=2)
        if abs(layer.radius) >= _SHARP:
            sheet = _convolve(sheet, point_spread_function(float(layer.radius), psf, blades))
        alpha = np.clip(sheet[..., 3:], 0, 1)
        picture = picture * (1 - alpha) + sheet[..., :3]
        coverage = coverage * (1 - alpha) + alpha
    return np.maximum(picture, 0), coverage


def render_layers(layers: Sequence[Layer], psf: PsfShape = "disc", blades: int = 6) -> NDArray[np.float32]:
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
    return _compose(layers, psf, blades)[0]


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
    psf: PsfShape = "disc",
    blades: int = 6,
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
    picture, coverage = _compose(layers, psf, blades)
    return np.asarray(picture / np.maximum(coverage, 1e-6), np.float32), snapped
