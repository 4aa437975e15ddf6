"""How the blurred photo of a pair lies against the sharp one: shifts of many small windows, and what fits them all.

A blurred photo is no noisy copy of the sharp one. Phase correlation follows the finest detail, which defocus removes,
and near edges of depth the blur itself moves what is seen; here windows are measured in a band that survives defocus,
and those that agree best decide.
"""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Levels = NDArray[np.uint8]

FLAT = 0.3  # grey levels: less contrast than this is noise and rounding, not texture
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_WINDOW = 128  # px, side of a window whose shift is measured; at most three quarters of the photo's shorter side
_SMALLEST = 96  # px, side of the smallest photo whose shift is measured: too few windows in a smaller one
_WINDOWS = 8  # along a side, at most: enough for the largest photo
_LEAST_WINDOWS = 6  # that a fit is made of
_ROUNDS = 10  # of a fit; each counts the windows less that the last one left apart
_TELLING = 0.25  # px: a window's shift is known to about this
_EXPLAINED = 0.5  # share of the windows' shifts, at most, that a fit leaves unexplained; parallax leaves more


@dataclass(frozen=True)
class Windows:
    """Shifts (N×2, px down and right) of the blurred photo's windows, their centres from the middle, their weights.

    ``reach``: px from the photo's middle to a corner.
    """

    shifts: NDArray[np.float64]
    centres: NDArray[np.float64]
    weights: NDArray[np.float64]
    reach: float


@dataclass(frozen=True)
class Similarity:
    """Where the blurred photo has what the sharp one has: turned and scaled about the middle, and moved.

    A place p from the middle (px down and right) lies at p + ``shift`` + ``scale`` · p + ``turn`` · (p turned by 90°).
    ``left``: px that half of the windows are off by at least after that.
    """

    shift: tuple[float, float]
    scale: float
    turn: float  # rad, clockwise
    reach: float
    left: float

    @property
    def corner(self) -> float:
        """Px that scale and turn move a corner by."""
        return float(np.hypot(self.scale, self.turn)) * self.reach

    @property
    def moved(self) -> float:
        """Px that anything is moved by at most."""
        return self.corner + float(np.hypot(*self.shift))


def luminance(photo: Levels) -> Grey:
    """A photo's luminance, float32 H×W in levels."""
    return photo.astype(np.float32) @ _LUMINANCE


def halved(grey: Grey) -> Grey:
    """At half the size, smoothed."""
    return np.asarray(cv2.pyrDown(grey), np.float32)


def band(grey: Grey, fine: float, coarse: float) -> Grey:
    """Detail between two sizes (px, sigma of Gaussians)."""
    low, high = (cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for sigma in (fine, coarse))
    return np.asarray(low - high, np.float32)


def contrast(detail: Grey) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(detail * detail)))


def correlation(first: Grey, second: Grey) -> float:
    """Of two details, -1..1."""
    norm = contrast(first) * contrast(second)
    return float(np.mean(first * second)) / norm if norm else 0.0


def _starts(length: int, window: int) -> NDArray[np.int64]:
    count = min(_WINDOWS, int(np.ceil(1.5 * length / window)))
    return np.unique(np.linspace(0, length - window, count).astype(np.int64))


def windows(sharp_half: Grey, blurred_half: Grey) -> Windows | None:
    """The shifts of windows, from two photos at half their size; None where there is nothing to measure.

    Windows count by the fourth power of their correlation: where the photo is in focus, that is.
    """
    from skimage.registration import phase_cross_correlation

    size = sharp_half.shape
    if 2 * min(size) < _SMALLEST:
        return None
    sharp, blurred = band(sharp_half, 2, 4), band(blurred_half, 2, 4)
    window = min(_WINDOW // 2, 3 * min(size) // 4)
    taper = np.outer(np.hanning(window), np.hanning(window)).astype(np.float32)
    shifts, centres, weights = [], [], []
    for top, left in product(_starts(size[0], window), _starts(size[1], window)):
        place = slice(top, top + window), slice(left, left + window)
        pair = sharp[place] * taper, blurred[place] * taper
        if min(contrast(pair[0]), contrast(pair[1])) < FLAT / 3:
            continue
        # not whitened: defocus has left nothing but noise in most frequencies
        shift, error, _ = phase_cross_correlation(*pair, upsample_factor=20, normalization=None)
        shifts.append(-2 * shift)
        centres.append((2 * top + window - size[0], 2 * left + window - size[1]))
        weights.append(max(0.0, 1 - float(error) ** 2) ** 2)  # error² = 1 - correlation²
    if not shifts or not sum(weights):
        return None
    return Windows(np.array(shifts), np.array(centres, np.float64), np.array(weights), float(np.hypot(*size)))


def shift_of(found: Windows | None) -> tuple[float, float]:
    """The shift of the windows that agree best, and the spread about it (weighted mean deviation), px; NaN of none."""
    if found is None:
        return np.nan, np.nan
    middle = np.array([_weighted_median(found.shifts[:, axis], found.weights) for axis in (0, 1)])
    spread = np.average(np.hypot(*(found.shifts - middle).T), weights=found.weights)
    return float(np.hypot(*middle)), float(spread)


def similarity_of(sharp: Levels, blurred: Levels) -> Similarity | None:
    """What scale, turn and shift fit the windows of two photos, uint8 H×W×3; None if nothing does, or nothing moves.

    Parallax moves windows too, by what no similarity explains.
    """
    found = windows(halved(luminance(sharp)), halved(luminance(blurred)))
    if found is None or len(found.shifts) < _LEAST_WINDOWS:
        return None
    rows, columns = found.centres.T
    nothing, one = np.zeros_like(rows), np.ones_like(rows)
    parts = np.stack([np.stack([one, nothing, rows, columns]), np.stack([nothing, one, columns, -rows])], -1)  # 4×N×2
    design, wanted = parts.reshape(4, -1).T, found.shifts.reshape(-1)
    solution, left = np.zeros(4), np.hypot(*found.shifts.T)
    weights = found.weights
    for _ in range(_ROUNDS):
        root = np.sqrt(np.repeat(weights, 2))
        solution = np.linalg.lstsq(design * root[:, None], wanted * root, rcond=None)[0]
        left = np.hypot(*(found.shifts - (design @ solution).reshape(-1, 2)).T)
        weights = found.weights / np.maximum(left, _TELLING)
    before, after = (_weighted_median(each, found.weights) for each in (np.hypot(*found.shifts.T), left))
    if after > max(_EXPLAINED * before, _TELLING):
        return None
    down, right, scale, turn = map(float, solution)
    return Similarity((down, right), scale, turn, found.reach, after)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
