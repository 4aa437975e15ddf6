"""Between 8-bit sRGB and linear light, and the sensor's noise."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NEARLY_WHITE = 0.93  # of white, from which on a photo's value may stand for more light than it says


def srgb_to_linear(srgb: ArrayLike) -> NDArray[np.float32]:
    """Linear light (0..1) of sRGB values (0..1), any shape. Source: IEC 61966-2-1."""
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(linear: ArrayLike) -> NDArray[np.float32]:
    """SRGB values of linear light, both 0..1 (clipped), any shape. Source: IEC 61966-2-1."""
    linear = np.clip(np.asarray(linear, np.float32), 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def to_light(values: ArrayLike, gamma: float = 0) -> NDArray[np.float32]:
    """Light (0..1) of pixel values (0..1), any shape: values to the power ``gamma``, or by sRGB's curve where it is 0.

    Cameras lay tone curves of their own over sRGB's, and refocused light fields are summed from finished pictures: what
    mixes where blur forms lies anywhere between pixel values (1) and sRGB's light (about 2.2).
    """
    if gamma == 0:
        return srgb_to_linear(values)
    return np.asarray(np.clip(np.asarray(values, np.float32), 0, 1) ** np.float32(gamma), np.float32)


def from_light(light: ArrayLike, gamma: float = 0) -> NDArray[np.float32]:
    """Pixel values of light, both 0..1 (clipped), any shape: what ``to_light`` undoes."""
    if gamma == 0:
        return linear_to_srgb(light)
    return np.asarray(np.clip(np.asarray(light, np.float32), 0, 1) ** np.float32(1 / gamma), np.float32)


def brighten_highlights(light: NDArray[np.float32], values: ArrayLike, boost: float) -> NDArray[np.float32]:
    """Light, H×W×3 (0..1), that goes beyond 1 where a photo's values, H×W×3 (0..1), are nearly clipped.

    A photo's white stands for any light from there up; out of focus, a lamp of ``boost`` times white makes a disc that
    is white all over, while paper makes a grey one. All three colours grow alike, from nothing where the largest value
    is 0.93 to ``boost`` where it is 1. A boost of 1 changes nothing.

    Raises:
        ValueError: a boost below 1.
    """
    if boost < 1:
        raise ValueError(f"boost must be 1 or more, found {boost}")
    if boost == 1:
        return light
    share = np.clip((np.max(values, axis=2, keepdims=True) - _NEARLY_WHITE) / (1 - _NEARLY_WHITE), 0, 1)
    return np.asarray(light * (1 + (boost - 1) * share), np.float32)


def to_8bit(image: ArrayLike) -> NDArray[np.uint8]:
    """Grey levels 0..255 of values 0..1 (clipped, rounded half to even), any shape."""
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), np.uint8)


def add_noise(
    linear: NDArray[np.float32], shot: float, read: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Add a sensor's noise to linear light (0..1), H×W×3.

    The variance is ``shot·signal + read²``: photon noise grows with the signal, read-out noise does not
    (Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting").

    Raises:
        ValueError: a negative noise parameter.
    """
    if shot < 0 or read < 0:
        raise ValueError(f"noise parameters must be 0 or more, found shot={shot}, read={read}")
    if shot == 0 and read == 0:
        return linear
    deviation = np.sqrt(shot * np.maximum(linear, 0) + read**2)
    return (linear + deviation * generator.standard_normal(linear.shape, np.float32)).astype(np.float32)
