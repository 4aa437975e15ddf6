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
    picture = np.zeros(shape, np.float32)
    for layer in layers:
        sheet = np.concatenate([layer.colour * layer.alpha[..., None], layer.alpha[..., None]], axis=2)
        if abs(layer.radius) >= _SHARP:
            sheet = _convolve(sheet, point_spread_function(float(layer.radius), psf, blades))
        picture = picture * (1 - np.clip(sheet[..., 3:], 0, 1)) + sheet[..., :3]
    return np.maximum(picture, 0)


def _radius_levels(radius: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Each pixel's radius snapped to a multiple of ``step``."""
    return np.asarray(np.round(radius / step) * step, np.float32)


def _extended(colour: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Colour H×W×3 with every unknown pixel taken from the nearest known one."""
    if known.all():
        return colour
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(colour[rows, columns])


def render_photo(
    photo: NDArray[np.float32],
    radius: NDArray[np.float32],
    psf: PsfShape = "disc",
    blades: int = 6,
    step: float = 0.5,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Render an all-in-focus photo, H×W×3 in linear light, through a lens with these signed radii, H×W in px.

    Radii are snapped to multiples of ``step`` px, and each level is a layer that covers its own pixels *and all
    nearer ones* (so that a slope has no seams). What a nearer thing hides is continued from the nearest visible
    pixel of about the same depth.

    Returns:
        The rendered picture, H×W×3 in linear light, and the signed radii as rendered, H×W in px.

    Raises:
        ValueError: sizes that differ, or a radius that is not finite.
    """
    if photo.shape[:2] != radius.shape:
        raise ValueError(f"the photo is {photo.shape[:2]} and the radii are {radius.shape}: both must be of one size")
    if not np.isfinite(radius).all():
        raise ValueError("radii must be finite: the map holds NaN or infinity, fill it first")
    snapped = _radius_levels(radius, step)
    layers: list[Layer] = []
    for level in np.unique(snapped)[::-1]:
        same_depth = 2 * step + 0.25 * abs(level)  # px: levels so close are one surface and lend each other colour
        nearer = snapped <= level
        known = (snapped > level - same_depth) & (snapped < level + same_depth)
        alpha = np.ones(radius.shape, np.float32) if not layers else nearer.astype(np.float32)
        layers.append(Layer(_extended(photo, known), alpha, float(level)))
    return render_layers(layers, psf, blades), snapped
