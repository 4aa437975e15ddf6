"""What both methods for defocus maps share: a grey picture, gradients at a scale, and sigma of their ratio.

H, W: picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.optics import srgb_to_linear

Floats = NDArray[np.float32]


def as_unit(image: NDArray[np.generic]) -> Floats:
    """SRGB H×W×3, uint8 or float in 0..1, as float32 in 0..1.

    Raises:
        ValueError: another shape or type, a side below 16 px, or values that are NaN or infinite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not (image.dtype == np.uint8 or image.dtype.kind == "f"):
        raise ValueError(f"found a picture {image.shape} of {image.dtype}, expected H×W×3, uint8 or float in 0..1")
    if min(image.shape[:2]) < 16:
        raise ValueError(f"the picture is {image.shape[1]}×{image.shape[0]} px, expected 16×16 or more")
    scaled = image.astype(np.float32) / np.float32(255 if image.dtype == np.uint8 else 1)
    if not np.isfinite(scaled).all():
        raise ValueError("the picture holds NaN or infinite values; expected 0..1")
    return np.asarray(np.clip(scaled, 0, 1), np.float32)


def grey_light(unit: Floats) -> Floats:
    """Luminance H×W in linear light (0..1, Rec. 709) of sRGB H×W×3 in 0..1: defocus forms there."""
    return np.asarray(srgb_to_linear(unit) @ np.array([0.2126, 0.7152, 0.0722], np.float32), np.float32)


def gradient_magnitude(grey: Floats, scale: float) -> Floats:
    """Magnitude H×W of the gradient of a picture blurred by a Gaussian of ``scale`` px, by its derivatives."""
    half = int(np.ceil(4 * scale)) + 1
    places = np.arange(-half, half + 1)
    bell = np.exp(-(places**2) / (2 * scale**2))
    bell /= bell.sum()
    slope = places * bell / np.sum(places**2 * bell)  # of a ramp exactly its slope
    x = cv2.sepFilter2D(grey, cv2.CV_32F, slope, bell, borderType=cv2.BORDER_REFLECT)
    y = cv2.sepFilter2D(grey, cv2.CV_32F, bell, slope, borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.hypot(x, y), np.float32)


def sigma_of_ratio(ratio: NDArray[np.floating], scale: float, scale_again: float, sigma_max: float) -> Floats:
    """Sigma (px, 0..sigma_max) of a step edge whose gradient falls by ``ratio`` from one blur to a wider one.

    At the edge of a step blurred by sigma and by ``scale`` the gradient is in proportion to 1 / √(sigma² + scale²);
    the ratio for two scales is R² = (sigma² + scale_again²) / (sigma² + scale²). A ratio of 1 or less, which no
    step has, gives ``sigma_max``; one that is too large gives 0.
    """
    square = np.asarray(ratio, np.float64) ** 2
    first, second = np.square(scale), np.square(scale_again)
    sigma_square = (second - square * first) / np.maximum(square - 1, 1e-6)
    return np.asarray(np.sqrt(np.clip(sigma_square, 0, sigma_max**2)), np.float32)
