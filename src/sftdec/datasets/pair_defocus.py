"""Defocus maps of pairs that have none: the blur that turns the sharp photo into the blurred one, pixel by pixel.

The pair is compared in linear light, in units of what one 8-bit level is worth there. Three steps: for each level of
blur the squared difference in a small window; the level of least cost along the photo's surfaces; and from where a
blur explains the pair well, the map is carried to where none does: smooth areas, and the surroundings of depth edges,
where two depths mix. The blurred photo keeps a say everywhere, so that the map still reproduces it.

H, W: picture; L: levels of blur.
"""

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.pair_filter import aggregate_costs, fill_by_confidence, lowest_place
from sftdec.optics import PsfShape, point_spread_function, srgb_to_linear
from sftdec.runtime import DataError

Floats = NDArray[np.float32]

_TRUNCATION = 1.5  # a cost, in units of the pair's own misfit, beyond which all blurs are equally wrong
_STEP, _JUMP = 0.5, 6.0  # what a path pays for a change of level
_EDGE = 8.0  # grey levels: the photo's edges at which such changes get cheaper
_FILL, _FILL_EDGE = 100.0, 4.0  # strength of the fill and the grey levels of edges that stop it
_CONTRAST = 0.03  # of limited costs, at which confidence is half of what it can be
# Grey levels squared that one px away from the filled map must save: how much the map is to be true where two depths
# mix, instead of reproducing the photo. Where a blur explains the pair to within its noise it is 400, and more the
# more noise there is. Real lenses leave many times that, no blur of the ladder is then right, and the map is rather to
# reproduce the photo: 40. For all alike, 70 gains 13.0 dB on LFDOF's inputs and is off by 0.25 px on Middlebury scenes
# rendered up to 5 px, 300 gains 11.6 dB and is off by 0.19 px (benchmarks/pair_defocus.py).
_LOYALTY, _LOYALTY_OF_LENSES = 400.0, 40.0
_EXPLAINED, _EXPLAINED_SLOPE = 3.5, 6  # times the noise that remains where the one turns into the other, and how
_DISC = -0.12  # a disc must leave this much less (log of the misfit): real blurs often lie between the two
_CLIPPED = 254  # grey level from which a highlight may be clipped
_PROBE = 384  # px: side of the window that decides the shape of the blur


class PairDefocus(NamedTuple):
    """What a pair tells of its defocus: ``sigma`` H×W in px (0..sigma_max), ``confidence`` H×W in 0..1.

    Sigma is Gaussian-equivalent: a disc of radius r has r/2. Confidence is near 0 where the photo has no texture or
    where no blur of it explains the blurred one.
    """

    sigma: Floats
    confidence: Floats


class _Blurs(NamedTuple):
    """A ladder of blurs of one shape: sigma in px and the kernels' true second moment (px², rising), L each."""

    shape: PsfShape
    sigma: Floats
    moment: Floats


def _ladder(sigma_max: float, shape: PsfShape, step: float = 0.2, share: float = 0.08) -> _Blurs:
    """Levels from 0 to ``sigma_max``, a step or a share of sigma apart: what a blur changes falls as it grows."""
    levels = [0.0]
    while levels[-1] < sigma_max:
        levels.append(levels[-1] + max(step, share * levels[-1]))
    ladder = np.array(levels) * (sigma_max / levels[-1])
    moments = []
    for level in ladder:
        kernel = point_spread_function(2 * float(level), shape)
        offsets = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
        moments.append(float(kernel.sum(axis=0) @ offsets**2))
    # A disc within one pixel is no blur at all: such levels can't be told from 0.
    kept = np.array(moments) > 0.01
    kept[0] = kept[-1] = True
    moments[-1] = max(moments[-1], 0.02)
    return _Blurs(shape, np.asarray(ladder[kept], np.float32), np.asarray(np.array(moments)[kept], np.float32))


def _blur(image: Floats, sigma: float, shape: PsfShape) -> Floats:
    kernel = point_spread_function(2 * sigma, shape)
    if kernel.size == 1:
        return image
    if shape == "gaussian":
        line = kernel.sum(axis=0)
        return cast(Floats, cv2.sepFilter2D(image, -1, line, line, borderType=cv2.BORDER_REFLECT))
    return cast(Floats, cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT))


def _box(image: Floats, side: int) -> Floats:
    return cast(Floats, cv2.boxFilter(image, -1, (side, side)))


def blur_with_map(sharp_linear: Floats, sigma: Floats, shape: PsfShape = "gaussian") -> Floats:
    """Blur each pixel of H×W×3 (linear light) by its own sigma (px, H×W), between the levels of a stack of blurs.

    Each pixel gathers light as if all around it were as far away: around depth edges a lens does otherwise.

    Raises:
        DataError: a map of another size, or with values that are negative or not finite.
    """
    if sigma.shape != sharp_linear.shape[:2] or not np.isfinite(sigma).all() or sigma.min() < 0:
        raise DataError(
            f"the map of sigma is {sigma.shape}, {sigma.min()}..{sigma.max()}: expected {sharp_linear.shape[:2]} and "
            "finite values of 0 or more; make it with estimate_defocus of the same pair"
        )
    blurs = _ladder(max(float(sigma.max()), 0.25), shape, 0.125, 0.04)
    place = np.interp(sigma, blurs.sigma, np.arange(len(blurs.sigma))).astype(np.float32)
    mixed = np.zeros_like(sharp_linear)
    for number, level in enumerate(blurs.sigma):
        weight = np.maximum(0, 1 - np.abs(place - number))
        if weight.any():
            mixed += weight[..., None] * _blur(sharp_linear, float(level), shape)
    return mixed


class _Pair(NamedTuple):
    """A pair made comparable: linear light H×W×3 of each, the weight of a pixel's channels and the sharp one's grey."""

    blurred: Floats
    sharp: Floats
    weight: Floats
    grey: Floats

    def cut(self, rows: slice, columns: slice) -> "_Pair":
        return _Pair(*(part[rows, columns] for part in self))

    def misfit(self, sigma: float, shape: PsfShape) -> Floats:
        """Mean squared difference (8-bit levels squared, H×W) between the blurred and the sharp photo so blurred."""
        difference = _blur(self.sharp, sigma, shape)
        difference = difference - self.blurred
        difference *= difference
        difference *= self.weight
        return np.asarray(difference.mean(axis=2), np.float32)


def _prepare(blurred: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> _Pair:
    """Both in linear light, the sharp one at the blurred one's exposure.

    A level's worth is the slope of the sRGB curve; clipped highlights tell little of the light that was there.
    """
    linear = srgb_to_linear(np.arange(256) / 255)
    worth = np.asarray(1 / np.gradient(linear), np.float32)
    clipped = np.where((sharp >= _CLIPPED) | (blurred >= _CLIPPED), np.float32(0.05), np.float32(1))
    light, light_of_sharp = linear[blurred], linear[sharp]
    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gain = _gain(light.mean(axis=2), light_of_sharp.mean(axis=2))
    return _Pair(light, light_of_sharp * gain, clipped * worth[blurred] ** 2, grey)


def _gain(light: Floats, light_of_sharp: Floats) -> np.float32:
    """Exposure of the blurred photo against the sharp one: the commonest ratio of wide means, which blur keeps.

    What is spread across depth edges moves their mean and median; differences within 2 % are left alone.
    """
    wide = max(0.5, min(8.0, min(light.shape) / 8))
    means, means_of_sharp = (cv2.GaussianBlur(x, (0, 0), wide) for x in (light, light_of_sharp))
    ratios = means / np.maximum(means_of_sharp, 1e-3)
    counts, edges = np.histogram(ratios, np.arange(0.5, 2, 0.005), weights=means_of_sharp)
    if not counts.any():
        return np.float32(1)
    commonest = float(edges[np.convolve(counts, np.ones(5), "same").argmax()]) + 0.0025
    return np.float32(commonest if abs(commonest - 1) > 0.02 else 1)


def _shape_of(pair: _Pair, sigma_max: float) -> PsfShape:
    """The shape of blur that explains the pair better in the window in which its photos differ most.

    Only pixels count that one of them does explain: depth edges, which neither can, would drown the difference.
    """
    size = pair.grey.shape
    sides = [min(_PROBE, length) for length in size]
    change = cv2.boxFilter(pair.misfit(0, "gaussian"), -1, sides[::-1])
    centre = np.unravel_index(int(change.argmax()), size)
    rows, columns = (
        slice(start, start + side)
        for start, side in (
            (int(np.clip(place - side // 2, 0, length - side)), side)
            for place, side, length in zip(centre, sides, size, strict=True)
        )
    )
    probe = pair.cut(rows, columns)
    shapes: tuple[PsfShape, PsfShape] = ("gaussian", "disc")
    lowest = [
        np.minimum.reduce([_box(probe.misfit(float(level), shape), 9) for level in _ladder(sigma_max, shape).sigma])
        for shape in shapes
    ]
    unblurred = _box(probe.misfit(0, "gaussian"), 9)
    explained = unblurred > np.maximum(10 * np.minimum(*lowest), 9)
    if not explained.any():
        return "gaussian"
    gaussian, disc = (float(np.log(misfit[explained] + 0.1).mean()) for misfit in lowest)
    return "disc" if disc < gaussian + _DISC else "gaussian"


def _misfits(pair: _Pair, blurs: _Blurs) -> Floats:
    """Misfit of each level, H×W×L."""
    misfits = np.empty((*pair.grey.shape, len(blurs.sigma)), np.float32)
    for number, level in enumerate(blurs.sigma):
        misfits[..., number] = pair.misfit(float(level), blurs.shape)
    return misfits


def _at(costs: Floats, level: NDArray[np.intp]) -> Floats:
    """Costs H×W of levels H×W."""
    return np.take_along_axis(costs, level[..., None], axis=2)[..., 0]


def _between(costs: Floats, best: NDArray[np.intp], blurs: _Blurs) -> Floats:
    """Sigma (px) of least cost about the best level, H×W: costs are a parabola of the blur's second moment there."""
    moment = lowest_place(lambda level: _at(costs, level), best, blurs.moment)
    return np.asarray(np.interp(moment, blurs.moment, blurs.sigma), np.float32)


def _windowed(misfits: Floats) -> Floats:
    """Mean misfit in windows of 5×5, H×W×L."""
    costs = np.empty_like(misfits)
    for number in range(misfits.shape[2]):
        costs[..., number] = _box(np.ascontiguousarray(misfits[..., number]), 5)
    return costs


def _remainder(costs: Floats, grey: Floats) -> np.float32:
    """The misfit that remains where the photo has texture and a blur explains it well: noise, rounding, lens faults."""
    textured = _box(grey**2, 9) - _box(grey, 9) ** 2 > 9
    return np.float32(max(float(np.quantile(costs.min(axis=2)[textured], 0.3)), 0.25) if textured.any() else 0.25)


def _surfaces(costs: Floats, grey: Floats, blurs: _Blurs) -> PairDefocus:
    """Sigma that is alike along surfaces, of costs in units of the pair's own remainder; and the confidence in it: how
    sharply it is told from its neighbours, and how well it explains the blurred photo.
    """
    limited = costs * (_TRUNCATION / (costs + _TRUNCATION))
    best = aggregate_costs(limited, grey, _STEP, _JUMP, _EDGE).argmin(axis=2)
    middle = np.clip(best, 1, len(blurs.sigma) - 2)
    contrast = np.maximum(_at(limited, middle - 1) + _at(limited, middle + 1) - 2 * _at(limited, middle), 0)
    confidence = contrast / (contrast + _CONTRAST) * np.exp(-_box(np.minimum(_at(costs, best), 60), 5) / 2)
    return PairDefocus(_between(costs, best, blurs), np.asarray(confidence, np.float32))


def _reconciled(misfits: Floats, filled: Floats, loyalty: float, blurs: _Blurs) -> Floats:
    """Sigma near the filled map that also brings the sharp photo near the blurred one, H×W; overwrites ``misfits``."""
    for number, level in enumerate(blurs.sigma):
        misfits[..., number] += np.float32(loyalty) * (filled - level) ** 2
    return _between(misfits, misfits.argmin(axis=2), blurs)


def _noise(blurred: NDArray[np.uint8]) -> float:
    """Variance of a photo's noise, grey levels squared: of second differences (Immerkær 1996), where there are few."""
    grey = cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY).astype(np.float32)
    differences: Floats = cast(
        Floats, cv2.filter2D(grey, -1, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32))
    )
    return float(np.quantile(_box(differences**2, 15), 0.2)) / 36


def _loyalty(remainder: float, noise: float) -> float:
    """Grey levels squared that a px of sigma must save in a pair of which so much can't be explained."""
    explained = 1 / (1 + (remainder / max(noise, 0.01) / _EXPLAINED) ** _EXPLAINED_SLOPE)
    return float((_LOYALTY * max(1, remainder)) ** explained * _LOYALTY_OF_LENSES ** (1 - explained))


def estimate_defocus(blurred: NDArray[np.uint8], sharp: NDArray[np.uint8], sigma_max: float) -> PairDefocus:
    """The defocus between two aligned photos of one scene, uint8 H×W×3 (sRGB) each.

    Blurs up to ``sigma_max`` (px) are tried, of a Gaussian or a disc, whichever explains the pair better. A constant
    difference of exposure is allowed for.

    Raises:
        DataError: sizes that differ, pictures that aren't 8-bit colour, or a ``sigma_max`` below 0.5 px.
    """
    if blurred.shape != sharp.shape:
        raise DataError(
            f"the blurred photo is {blurred.shape[0]}×{blurred.shape[1]} and the sharp one "
            f"{sharp.shape[0]}×{sharp.shape[1]} px: a pair has one size, crop or align it first"
        )
    if blurred.ndim != 3 or blurred.shape[2] != 3 or blurred.dtype != np.uint8 or sharp.dtype != np.uint8:
        raise DataError(f"a pair is {blurred.dtype} and {sharp.dtype} {blurred.shape}: expected uint8 H×W×3")
    if not 0.5 <= sigma_max < np.inf:
        raise DataError(f"sigma_max is {sigma_max}: expected 0.5 px or more, less than that is hardly a blur; raise it")
    pair = _prepare(blurred, sharp)
    blurs = _ladder(sigma_max, _shape_of(pair, sigma_max))
    misfits = _misfits(pair, blurs)
    costs = _windowed(misfits)
    remainder = _remainder(costs, pair.grey)
    costs /= remainder
    sigma, confidence = _surfaces(costs, pair.grey, blurs)
    filled = fill_by_confidence(sigma, confidence + np.float32(1e-4), pair.grey, _FILL, _FILL_EDGE)
    del costs
    sigma = _reconciled(misfits, filled, _loyalty(float(remainder), _noise(blurred)), blurs)
    return PairDefocus(np.clip(sigma, 0, np.float32(sigma_max)), confidence)
