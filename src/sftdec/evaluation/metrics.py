"""How restored pictures and estimated defocus maps are measured: all numbers of the project come from here.

Pictures are compared as 8-bit RGB after rounding (`to_uint8`), whatever precision they were computed in,
with a data range of 255 and all channels together. Nothing is cropped from the border beforehand.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.photos import MAP_LEVELS, defocus_levels

Picture = NDArray[np.uint8]
FloatMap = NDArray[np.floating]
Metrics = dict[str, dict[str, float | int]]

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


def to_uint8(image: NDArray[np.floating]) -> Picture:
    """A float picture of nominal range 0..1, any shape, as uint8: clipped, then rounded half to even.

    Raises:
        TypeError: the picture is not float.
        ValueError: a value is NaN or infinite.
    """
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(f"picture is {image.dtype}; to_uint8 takes floats of range 0..1")
    broken = int(np.count_nonzero(~np.isfinite(image)))
    if broken:
        raise ValueError(
            f"picture has {broken} of {image.size} values that are NaN or infinite; expected numbers of "
            "nominal range 0..1. The weights that made it have diverged: go back to an earlier checkpoint"
        )
    levels: Picture = np.rint(np.clip(image, 0.0, 1.0).astype(np.float64) * 255.0).astype(np.uint8)
    return levels


def psnr(image: Picture, reference: Picture) -> float:
    """Peak signal-to-noise ratio in dB of uint8 H×W×3 (or H×W) pictures: range 255, all channels in one mean.

    Equal pictures give infinity. Symmetric.

    Raises:
        TypeError: a picture is not uint8.
        ValueError: the shapes differ, or are neither H×W×3 nor H×W.
    """
    _check_pair(image, reference)
    difference = image.astype(np.int32) - reference.astype(np.int32)
    mean_square = float(np.mean(np.square(difference), dtype=np.float64))
    return math.inf if mean_square == 0 else 10 * math.log10(255**2 / mean_square)


def ssim(image: Picture, reference: Picture) -> float:
    """Structural similarity (Wang et al. 2004) of uint8 H×W×3 (or H×W) pictures, at most 1.

    Gaussian window 11×11 of sigma 1.5, population covariance, range 255, K1 0.01, K2 0.03; each channel by
    itself, then the mean over channels and over every position at which the window lies inside the picture.
    Equal pictures give 1. Symmetric.

    Raises:
        TypeError: a picture is not uint8.
        ValueError: the shapes differ, are neither H×W×3 nor H×W, or have a side under 11 px.
    """
    _check_pair(image, reference)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ValueError(
            f"picture is {image.shape[1]}×{image.shape[0]} px; SSIM's window needs at least "
            f"{SSIM_WINDOW}×{SSIM_WINDOW}. Leave pictures this small out of the data set"
        )
    import cv2

    window, margin = cv2.getGaussianKernel(SSIM_WINDOW, SSIM_SIGMA, cv2.CV_32F), SSIM_WINDOW // 2
    inside = (slice(margin, -margin), slice(margin, -margin))

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.sepFilter2D(values, cv2.CV_32F, window, window), np.float32)[inside]

    # The two pictures' sum and difference say all that they and their product do, with a filter less; around grey
    # float32 keeps the mean to 1e-7.
    first, second = (picture.astype(np.float32) - 128 for picture in (image, reference))
    total, difference = first + second, first - second
    total_mean, difference_mean = mean(total), mean(difference)
    total_variance = mean(total * total) - total_mean * total_mean
    difference_variance = mean(difference * difference) - difference_mean * difference_mean
    total_square, difference_square = np.square(total_mean + 256), np.square(difference_mean)
    c1, c2 = 2 * (0.01 * 255) ** 2, 2 * (0.03 * 255) ** 2
    similarity = (total_square - difference_square + c1) / (total_square + difference_square + c1)
    similarity *= (total_variance - difference_variance + c2) / (total_variance + difference_variance + c2)
    return float(np.mean(similarity, dtype=np.float64))


def map_errors(estimate: FloatMap, truth: FloatMap) -> tuple[float, float]:
    """Mean absolute and mean squared error of a defocus map, both H×W in units of sigma / sigma_max (0..1).

    Values are taken as they are, not clipped. Equal maps give (0, 0).

    Raises:
        ValueError: the shapes differ or are not H×W, or a value is NaN or infinite.
    """
    if estimate.ndim != 2 or estimate.shape != truth.shape or estimate.size == 0:
        raise ValueError(
            f"estimated map has shape {estimate.shape}, true map {truth.shape}; expected two equal H×W shapes"
        )
    error = estimate.astype(np.float64) - truth.astype(np.float64)
    if not np.isfinite(error).all():
        raise ValueError("a defocus map has NaN or infinite values; expected numbers of range 0..1")
    return float(np.mean(np.abs(error))), float(np.mean(np.square(error)))


class MapLevels(NamedTuple):
    """A defocus map as a histogram: which of the 65536 levels of a stored map occur, and how often.

    All that the best constant needs to know of a map, in a fraction of its memory; nothing is lost of a map
    that was stored with 16 bits.
    """

    levels: NDArray[np.int64]
    counts: NDArray[np.int64]


def count_levels(truth: FloatMap) -> MapLevels:
    """Histogram of a defocus map H×W in 0..1.

    Raises:
        ValueError: the map is empty, has NaN or infinite values, or leaves 0..1.
    """
    if truth.size == 0:
        raise ValueError(f"true map of shape {truth.shape} is empty; expected H×W with at least one pixel")
    levels, counts = np.unique(defocus_levels(truth).astype(np.int64), return_counts=True)
    return MapLevels(levels, counts.astype(np.int64))


def best_constant_mae(truths: Iterable[FloatMap | MapLevels]) -> tuple[float, list[float]]:
    """The one value (0..1) that fits all maps of a data set best, and each map's mean absolute error then.

    The value minimises the mean absolute error over all pixels of all maps together: their median (the lower
    of the two middle values), on the 65536 levels of a stored map. A network's maps say something where they
    beat it. Given a single map it is that map's own best constant.

    Raises:
        ValueError: no map was given, or one is empty, has NaN or leaves 0..1.
    """
    histograms = [truth if isinstance(truth, MapLevels) else count_levels(truth) for truth in truths]
    if not histograms:
        raise ValueError("no defocus map was given; a best constant needs at least one")
    total = np.zeros(MAP_LEVELS + 1, dtype=np.int64)
    for levels, counts in histograms:
        total[levels] += counts
    pixels_up_to = np.cumsum(total)
    median = int(np.searchsorted(pixels_up_to, (pixels_up_to[-1] + 1) // 2))
    maes = [
        float(np.sum(counts * np.abs(levels - median)) / np.sum(counts)) / MAP_LEVELS for levels, counts in histograms
    ]
    return median / MAP_LEVELS, maes


def best_constant_mse(truths: Iterable[FloatMap | MapLevels]) -> tuple[float, list[float]]:
    """As ``best_constant_mae`` for the squared error: the one value is the mean over all pixels of all maps.

    Raises:
        ValueError: no map was given, or one is empty, has NaN or leaves 0..1.
    """
    histograms = [truth if isinstance(truth, MapLevels) else count_levels(truth) for truth in truths]
    if not histograms:
        raise ValueError("no defocus map was given; a best constant needs at least one")
    pixels = sum(int(np.sum(counts)) for _, counts in histograms)
    mean = sum(int(np.sum(counts * levels)) for levels, counts in histograms) / pixels
    mses = [
        float(np.sum(counts * np.square(levels - mean)) / np.sum(counts)) / MAP_LEVELS**2
        for levels, counts in histograms
    ]
    return mean / MAP_LEVELS, mses


def _check_pair(image: Picture, reference: Picture) -> None:
    """Two uint8 pictures of one shape H×W or H×W×3."""
    if image.dtype != np.uint8 or reference.dtype != np.uint8:
        raise TypeError(
            f"pictures are {image.dtype} and {reference.dtype}; both must be uint8 (to_uint8 rounds floats)"
        )
    if image.shape != reference.shape:
        raise ValueError(
            f"pictures have shapes {image.shape} and {reference.shape}; expected equal ones. Crop both "
            "to their common area first"
        )
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(f"picture has shape {image.shape}; expected H×W×3 or H×W")
