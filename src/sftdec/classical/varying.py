"""Deconvolution with a blur that varies over the picture: a level of sigma at a time, mixed pixel by pixel.

Each level is taken out of the whole of what is blurred about so much, by ``hyper_laplacian``, in linear light, where
defocus forms; a pixel gets the two levels around its own sigma, in between linearly. What is blurred otherwise is no
part of a level's picture: deconvolved with a kernel that isn't its own it would ring, far into the surroundings. It is
replaced by a smooth continuation of what belongs there (push and pull over a pyramid: Gortler et al. 1996).

H, W: picture; L: levels.
"""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.classical.hyper_laplacian import ALPHA, WEIGHT, deconvolve_uniform
from sftdec.optics import PsfShape, linear_to_srgb, point_spread_function, srgb_to_linear

Floats = NDArray[np.float32]

_SHARP = 0.3  # px of sigma: a disc that lies within one pixel
_STEP, _SHARE = 0.15, 0.06  # between levels: px, or of sigma
_OWN, _OWN_SHARE = 0.3, 0.2  # how far from a level a sigma may be and belong to its picture


def levels_of(sigma: Floats) -> NDArray[np.float64]:
    """Rising levels (px) from 0 that reach the map's largest sigma; what is below the second is left as it is."""
    levels, top = [0.0, _SHARP], float(sigma.max())
    while levels[-1] < top:
        levels.append(levels[-1] + max(_STEP, _SHARE * levels[-1]))
    return np.array(levels)


def _continued(image: Floats, weight: Floats) -> Floats:
    """H×W×3 where ``weight`` (H×W, 0..1) is 1; where it is 0 a smooth continuation, in between a mixture."""
    share = weight[..., None]
    known = image * share
    if min(weight.shape) <= 2 or weight.min() >= 1:
        mean = known.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.asarray(known + (1 - share) * mean, np.float32)
    total = np.asarray(cv2.pyrDown(weight), np.float32)
    coarse = np.asarray(cv2.pyrDown(known) / np.maximum(total, 1e-6)[..., None], np.float32)
    inner = _continued(coarse, np.minimum(total * 2, 1))
    smooth = cv2.pyrUp(inner, dstsize=weight.shape[::-1])
    return np.asarray(known + (1 - share) * smooth, np.float32)


def _inside(own: Floats, radius: float) -> Floats:
    """1 where all within ``radius`` px belongs, down to 0 at the outline, H×W: light of two surfaces mixes there."""
    side = 2 * max(1, round(radius)) + 1
    share = cv2.boxFilter(own, -1, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.clip(2 * share - 1, 0, 1), np.float32)


def _box(needed: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Rows and columns of what is needed and ``margin`` px around it."""
    return cast(
        tuple[slice, slice],
        tuple(
            slice(max(int(places[0]) - margin, 0), int(places[-1]) + 1 + margin)
            for places in (np.flatnonzero(needed.any(axis=1)), np.flatnonzero(needed.any(axis=0)))
        ),
    )


def deconvolve_linear(
    linear: Floats, sigma: Floats, psf: PsfShape = "gaussian", weight: float = WEIGHT, alpha: float = ALPHA
) -> Floats:
    """As ``deconvolve``, of linear light in and out, H×W×3 in 0..1."""
    levels = levels_of(sigma)
    place = np.interp(sigma, levels, np.arange(len(levels)))
    shares = [np.asarray(np.maximum(0, 1 - np.abs(place - number)), np.float32) for number in range(len(levels))]
    mixed = shares[0][..., None] * linear
    for level, share in zip(levels[1:], shares[1:], strict=True):
        if not share.any():
            continue
        at = _box(share > 0, int(np.ceil(6 * level)) + 8)
        near = _OWN + _OWN_SHARE * level
        own = np.clip(2 - np.abs(sigma[at] - np.float32(level)) / np.float32(near), 0, 1).astype(np.float32)
        kernel = point_spread_function(2 * float(level), psf)
        trust = own * _inside(own, 2 * level)
        restored = deconvolve_uniform(_continued(linear[at], own), kernel, weight, alpha, trust=trust)
        mixed[at] += share[at][..., None] * restored
    return np.asarray(np.clip(mixed, 0, 1), np.float32)


def deconvolve(
    image: NDArray[np.generic], sigma: Floats, psf: PsfShape = "gaussian", weight: float = WEIGHT, alpha: float = ALPHA
) -> Floats:
    """The all-in-focus picture, sRGB float32 H×W×3 in 0..1, of a blurred one and its defocus map.

    ``image``: sRGB H×W×3, uint8 or float in 0..1. ``sigma``: H×W in px, Gaussian-equivalent: a disc has the radius
    2 sigma. ``psf``: where it is the wrong one of the two, a Gaussian does less harm. ``weight``, ``alpha``: see
    ``deconvolve_uniform``.

    Raises:
        ValueError: another shape or type, a map of another size, or one that is negative or not finite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not (image.dtype == np.uint8 or image.dtype.kind == "f"):
        raise ValueError(f"found a picture {image.shape} of {image.dtype}, expected H×W×3, uint8 or float in 0..1")
    if sigma.shape != image.shape[:2] or not np.isfinite(sigma).all() or sigma.min() < 0:
        raise ValueError(
            f"the map is {sigma.shape}, {sigma.min():g}..{sigma.max():g}: expected {image.shape[:2]} and finite "
            "values of 0 px or more"
        )
    if psf not in ("disc", "gaussian"):
        raise ValueError(f"psf {psf!r}: deconvolution knows disc and gaussian, which are symmetric")
    scaled = image.astype(np.float32) / np.float32(255 if image.dtype == np.uint8 else 1)
    linear = srgb_to_linear(np.clip(scaled, 0, 1))
    return linear_to_srgb(deconvolve_linear(linear, np.asarray(sigma, np.float32), psf, weight, alpha))
