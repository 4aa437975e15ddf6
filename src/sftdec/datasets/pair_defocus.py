"""Defocus maps of pairs that have none: the blur that turns the sharp photo into the blurred one, pixel by pixel.

The pair is compared in linear light, in units of what one 8-bit level is worth there. Three steps: for each level of
blur the squared difference in a small window; the level of least cost along the photo's surfaces; and from where a
blur explains the pair well, the map is carried to where none does: smooth areas, and the surroundings of depth edges,
where two depths mix. The blurred photo keeps a say everywhere, so that the map still reproduces it.

H, W: picture; L: levels of blur.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.pair_filter import aggregate_costs, fill_by_confidence, lowest_place
from sftdec.datasets.pair_light import Blurs, Floats, Levels, Pair, box, ladder, prepare
from sftdec.datasets.registration import register
from sftdec.datasets.tiles import Place, Tiles
from sftdec.optics import PsfShape
from sftdec.runtime import DataError

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
_PROBE = 384  # px: side of the window that decides the shape of the blur
_VALUES, _OVERLAP = 60_000_000, 128  # pixels times levels of a tile, about 1 GB of work; px that tiles share


class PairDefocus(NamedTuple):
    """What a pair tells of its defocus: ``sigma`` H×W in px (0..sigma_max), ``confidence`` H×W in 0..1.

    Sigma is Gaussian-equivalent: a disc of radius r has r/2. Confidence is near 0 where the photo has no texture or
    where no blur of it explains the blurred one.
    """

    sigma: Floats
    confidence: Floats


def _shape_of(probe: Pair, sigma_max: float) -> PsfShape:
    """The shape of blur that explains a window of a pair better.

    Only pixels count that one of them does explain: depth edges, which neither can, would drown the difference.
    """
    shapes: tuple[PsfShape, PsfShape] = ("gaussian", "disc")
    lowest = [
        np.minimum.reduce([box(probe.misfit(float(level), shape), 9) for level in ladder(sigma_max, shape).sigma])
        for shape in shapes
    ]
    unblurred = box(probe.misfit(0, "gaussian"), 9)
    explained = unblurred > np.maximum(10 * np.minimum(*lowest), 9)
    if not explained.any():
        return "gaussian"
    gaussian, disc = (float(np.log(misfit[explained] + 0.1).mean()) for misfit in lowest)
    return "disc" if disc < gaussian + _DISC else "gaussian"


class _Compared(NamedTuple):
    """A tile, the misfit of each level and its mean in windows of 5×5, L×H×W."""

    pair: Pair
    misfits: Floats
    costs: Floats


def _compared(pair: Pair, blurs: Blurs) -> _Compared:
    misfits, costs = (np.empty((len(blurs.sigma), *pair.grey.shape), np.float32) for _ in range(2))
    for misfit, cost, level in zip(misfits, costs, blurs.sigma, strict=True):
        pair.misfit(float(level), blurs.shape, misfit)
        cv2.boxFilter(misfit, -1, (5, 5), cost)
    return _Compared(pair, misfits, costs)


def _cheapest(costs: Floats) -> NDArray[np.intp]:
    """The level of least cost, H×W, of costs L×H×W; the first of equal ones."""
    least, best = costs[0].copy(), np.zeros(costs.shape[1:], np.intp)
    for level, cost in enumerate(costs[1:], 1):
        best[cost < least] = level
        np.minimum(least, cost, out=least)
    return best


def _at(costs: Floats, level: NDArray[np.intp]) -> Floats:
    """Costs H×W of levels H×W."""
    return np.asarray(np.take_along_axis(costs, level[None], axis=0)[0])


def _between(costs: Floats, best: NDArray[np.intp], blurs: Blurs) -> Floats:
    """Sigma (px) of least cost about the best level, H×W: costs are a parabola of the blur's second moment there."""
    moment = lowest_place(lambda level: _at(costs, level), best, blurs.moment)
    return np.asarray(np.interp(moment, blurs.moment, blurs.sigma), np.float32)


def _explicable(tile: _Compared) -> Floats:
    """The least cost of each pixel (N) at which the photo has texture."""
    grey = tile.pair.grey
    textured = box(grey**2, 9) - box(grey, 9) ** 2 > 9
    return np.asarray(tile.costs.min(axis=0)[textured])


def _remainder(explicable: Sequence[Floats]) -> np.float32:
    """The misfit that remains where a blur explains the photo well: noise, rounding, lens faults."""
    least = np.concatenate(explicable)
    return np.float32(max(float(np.quantile(least, 0.3)), 0.25) if least.size else 0.25)


def _limited(cost: Floats) -> Floats:
    return np.asarray(cost * (np.float32(_TRUNCATION) / (cost + np.float32(_TRUNCATION))))


def _along_surfaces(costs: Floats, grey: Floats) -> NDArray[np.intp]:
    """The level that is best along surfaces, H×W, found at every second pixel: costs are means of windows of 5×5."""
    height, width = grey.shape
    limited = np.empty((len(costs), -(-height // 2), -(-width // 2)), np.float32)
    for cost, limit in zip(costs, limited, strict=True):
        limit[:] = _limited(np.ascontiguousarray(cost[::2, ::2]))
    best = _cheapest(aggregate_costs(limited, np.ascontiguousarray(grey[::2, ::2]), _STEP, _JUMP, _EDGE))
    return best.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def _surfaces(costs: Floats, grey: Floats, blurs: Blurs) -> PairDefocus:
    """Sigma that is alike along surfaces, of costs in units of the pair's own remainder; and the confidence in it: how
    sharply it is told from its neighbours, and how well it explains the blurred photo.
    """
    best = _along_surfaces(costs, grey)
    middle = np.clip(best, 1, len(blurs.sigma) - 2)
    below, at, above = (_limited(_at(costs, middle + k)) for k in (-1, 0, 1))
    contrast = np.maximum(below + above - 2 * at, 0)
    confidence = contrast / (contrast + _CONTRAST) * np.exp(-box(np.minimum(_at(costs, best), 60), 5) / 2)
    return PairDefocus(_between(costs, best, blurs), np.asarray(confidence, np.float32))


def _reconciled(misfits: Floats, filled: Floats, loyalty: float, blurs: Blurs) -> Floats:
    """Sigma near the filled map that also brings the sharp photo near the blurred one, H×W; overwrites ``misfits``."""
    for misfit, level in zip(misfits, blurs.sigma, strict=True):
        misfit += np.float32(loyalty) * (filled - level) ** 2
    return _between(misfits, _cheapest(misfits), blurs)


def _roughness(blurred: Levels) -> Floats:
    """Energy of second differences about each pixel, H×W, grey levels squared."""
    grey = cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    differences = cast(Floats, cv2.filter2D(grey, -1, mask))
    return box(differences**2, 15)


def _noise(roughness: Sequence[Floats]) -> float:
    """Variance of a photo's noise, grey levels squared: of second differences (Immerkær 1996), where there are few."""
    return float(np.quantile(np.concatenate([each.ravel() for each in roughness]), 0.2)) / 36


def _loyalty(remainder: float, noise: float) -> float:
    """Grey levels squared that a px of sigma must save in a pair of which so much can't be explained."""
    explained = 1 / (1 + (remainder / max(noise, 0.01) / _EXPLAINED) ** _EXPLAINED_SLOPE)
    return float((_LOYALTY * max(1, remainder)) ** explained * _LOYALTY_OF_LENSES ** (1 - explained))


def _probe(blurred: Levels, sharp: Levels, gains: Floats) -> Place:
    """The window in which two photos differ most."""
    size = sharp.shape[:2]
    change: Floats = np.empty(size, np.float32)
    for top in range(0, size[0], _PROBE):
        rows = slice(top, top + _PROBE)
        change[rows] = prepare(blurred[rows], sharp[rows], gains).misfit(0, "gaussian")
    sides = [min(_PROBE, length) for length in size]
    change = np.asarray(cv2.boxFilter(change, -1, sides[::-1]), np.float32)
    rows, columns = (
        slice(start, start + side)
        for start, side in (
            (int(np.clip(place - side // 2, 0, length - side)), side)
            for place, side, length in zip(np.unravel_index(int(change.argmax()), size), sides, size, strict=True)
        )
    )
    return rows, columns


def _map_of(tile: _Compared, blurs: Blurs, remainder: np.float32, loyalty: float) -> PairDefocus:
    """The map of a tile, whose misfits and costs are overwritten."""
    pair, misfits, costs = tile
    costs /= remainder
    sigma, confidence = _surfaces(costs, pair.grey, blurs)
    filled = fill_by_confidence(sigma, confidence + np.float32(1e-4), pair.grey, _FILL, _FILL_EDGE)
    return PairDefocus(_reconciled(misfits, filled, loyalty, blurs), confidence)


def estimate_defocus(blurred: Levels, sharp: Levels, sigma_max: float) -> PairDefocus:
    """The defocus between two photos of one scene, uint8 H×W×3 (sRGB) each, as the blurred one lies.

    Blurs up to ``sigma_max`` (px) are tried, of a Gaussian or a disc, whichever explains the pair better. The sharp
    photo is registered first, in place (shift, scale and turn) and light (a gain a channel). Memory is bounded: large
    photos are done in tiles that overlap.

    Raises:
        DataError: a ``sigma_max`` below 0.5 px.
    """
    if not 0.5 <= sigma_max < np.inf:
        raise DataError(f"sigma_max is {sigma_max}: expected 0.5 px or more, less than that is hardly a blur; raise it")
    found = register(blurred, sharp, sigma_max)
    sharp, gains = found.moved(sharp), found.gains

    def cut(place: Place) -> Pair:
        return prepare(blurred[place], sharp[place], gains)

    blurs = ladder(sigma_max, _shape_of(cut(_probe(blurred, sharp, gains)), sigma_max))
    tiles = Tiles(sharp.shape[:2], round(_VALUES / len(blurs.sigma)), _OVERLAP)
    explicable: list[Floats] = []
    roughness: list[Floats] = []
    for place in tiles.samples(_PROBE // 2):
        compared = _compared(cut(place), blurs)
        explicable.append(_explicable(compared))
        roughness.append(_roughness(blurred[place]))
    remainder = _remainder(explicable)
    loyalty = _loyalty(float(remainder), _noise(roughness))
    places = list(tiles)
    sigma, confidence, total = (np.zeros(sharp.shape[:2], np.float32) for _ in range(3))
    for place in places:
        if len(places) > 1:
            del compared
            compared = _compared(cut(place), blurs)
        part, weight = _map_of(compared, blurs, remainder, loyalty), tiles.weight(place)
        for whole, values in ((sigma, part.sigma * weight), (confidence, part.confidence * weight), (total, weight)):
            whole[place] += values
    return PairDefocus(np.clip(sigma / total, 0, np.float32(sigma_max)), confidence / total)
