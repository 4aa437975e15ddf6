"""How a sharp photo lies against its blurred one, and in what light, to a few hundredths of a px: what a map needs.

Windows that are matched by their shifts are drawn aside by depth edges and by detail that defocus has removed. Here the
sharp photo is blurred at each pixel by what explains the blurred one best there, and a similarity and a gain a channel
are fitted to what remains (Gauss and Newton's method, as Lucas and Kanade 1981 have it), until nothing moves.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.pair_light import Floats, Levels, Pair, blurred_by, box, ladder, prepare

_SMALLEST = 96  # px a side, of a photo that is registered: less tells too little
_LARGEST = 512  # px, shorter side that it is done at
_ROUNDS = 10
_FARTHER = 1.5  # times the step that a round finds: the blurs that were chosen before it hold it back
_STILL = 0.03  # px of a step, at which nothing moves any more
_STEADY = 0.003  # of a gain's change, likewise
_MOVES = 0.1  # px that a corner is off by at least, for the sharp photo to be moved
_FARTHEST = 0.01  # of the way to a corner, that it is moved by at most; agreement has brought back more
_BRIGHTER = 0.005  # of a gain, that is made up for
_STEP, _SHARE = 0.35, 0.15  # px and share of sigma between the blurs that are tried
_BORDER = 6  # px that say nothing


class Registration(NamedTuple):
    """The blurred photo has at a place p from the middle (px right and down) what the sharp one has at
    p + ``shift`` + ``scale`` · p + ``turn`` · (p turned by 90°), with its red, green and blue light times ``gains``.
    """

    shift: tuple[float, float]
    scale: float
    turn: float
    gains: Floats

    def corner(self, size: tuple[int, int]) -> float:
        """Px that anything is moved by at most in a photo of this size."""
        return float(np.hypot(*self.shift) + np.hypot(self.scale, self.turn) * np.hypot(*size) / 2)

    def moved(self, sharp: Levels) -> Levels:
        """The sharp photo, uint8 H×W×3, as the blurred one lies; itself where that is next to nothing."""
        size = sharp.shape[1], sharp.shape[0]
        if self.corner(size) < _MOVES:
            return sharp
        middle = (np.array(size) - 1) / 2
        grown = np.array([[1 + self.scale, -self.turn], [self.turn, 1 + self.scale]])
        matrix = np.column_stack([grown, middle + self.shift - grown @ middle])
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(sharp, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT), np.uint8)


def register(blurred: Levels, sharp: Levels, sigma_max: float) -> Registration:
    """The registration of two photos, uint8 H×W×3, that are blurred by up to ``sigma_max`` px.

    Small or nearly empty photos, and such as it would move by more than 1 % of the way to a corner, stay where they
    are, with one gain for all channels.
    """
    size = blurred.shape[:2]
    share = min(1.0, _LARGEST / min(size))
    pair = prepare(_shrunk(blurred, share), _shrunk(sharp, share))
    gain = _gain(pair.blurred.mean(axis=2), pair.sharp.mean(axis=2))
    nothing = Registration((0, 0), 0, 0, np.full(3, gain, np.float32))
    if min(size) < _SMALLEST:
        return nothing
    place, gains = np.zeros(4), nothing.gains
    levels = ladder(max(sigma_max * share, 0.5), "gaussian", _STEP, _SHARE).sigma
    for _ in range(_ROUNDS):
        step, change = _step(pair, _sampled(pair.sharp, place) * gains, levels)
        if not (np.isfinite(step).all() and np.isfinite(change).all()):
            return nothing
        place, gains = place + _FARTHER * step, np.asarray(gains * (1 + change), np.float32)
        moved = np.hypot(*step[:2]) + np.hypot(*step[2:]) * np.hypot(*pair.grey.shape) / 2
        if moved < _STILL and np.abs(change).max() < _STEADY:
            break
    right, down, scale, turn = map(float, place)
    found = Registration((right / share, down / share), scale, turn, gains)
    if found.corner(size) > _FARTHEST * np.hypot(*size) / 2 + 1 or not 0.5 < gains.min() <= gains.max() < 2:
        return nothing
    return found._replace(gains=gains if np.abs(gains - 1).max() > _BRIGHTER else np.ones_like(gains))


def _shrunk(photo: Levels, share: float) -> Levels:
    if share == 1:
        return photo
    return np.asarray(cv2.resize(photo, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _from_middle(size: tuple[int, ...]) -> tuple[Floats, Floats]:
    """How far each pixel lies right and down of the middle, H×W."""
    down, right = np.indices(size[:2], np.float32)
    return right - (size[1] - 1) / 2, down - (size[0] - 1) / 2


def _sampled(light: Floats, place: NDArray[np.float64]) -> Floats:
    """Light H×W×3 taken from where a registration (right, down, scale, turn) says."""
    across, along = _from_middle(light.shape)
    right, down, scale, turn = map(np.float32, place)
    columns = across * (1 + scale) - along * turn + right + np.float32((light.shape[1] - 1) / 2)
    rows = along * (1 + scale) + across * turn + down + np.float32((light.shape[0] - 1) / 2)
    return np.asarray(cv2.remap(light, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


def _explained(pair: Pair, sharp: Floats, levels: Floats) -> Floats:
    """The sharp light, H×W×3, blurred at each pixel by the level that brings its surroundings nearest the blurred."""
    least = np.full(pair.grey.shape, np.inf, np.float32)
    chosen = np.zeros_like(sharp)
    for level in levels:
        blurred = blurred_by(sharp, float(level), "gaussian")
        cost = box(pair.misfit_of(blurred), 9)
        better = cost < least
        np.copyto(least, cost, where=better)
        np.copyto(chosen, blurred, where=better[..., None])
    return chosen


def _step(pair: Pair, sharp: Floats, levels: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What (right, down, scale, turn) and which change of the channels' gains explain more of the blurred photo.

    What no blur explains, such as depth edges, counts little.
    """
    seen = _explained(pair, sharp, levels)
    left, misfit = pair.blurred - seen, pair.misfit_of(seen)
    weight = pair.weight / (1 + misfit / max(2 * float(np.median(misfit)), 1.0))[..., None] ** 2
    weight[:_BORDER] = weight[-_BORDER:] = 0
    weight[:, :_BORDER] = weight[:, -_BORDER:] = 0
    across, along = (each[..., None] for each in _from_middle(seen.shape))
    right, down = (cv2.Sobel(seen, -1, *axis, ksize=1) / 2 for axis in ((1, 0), (0, 1)))
    moves = np.stack([right, down, right * across + down * along, down * across - right * along])  # 4×H×W×3
    weighted = moves * weight
    normal, wanted = np.zeros((7, 7)), np.zeros(7)
    normal[:4, :4] = np.einsum("ihwc,jhwc->ij", weighted, moves)
    normal[:4, 4:] = np.einsum("ihwc,hwc->ic", weighted, seen)
    normal[4:, :4] = normal[:4, 4:].T
    normal[4:, 4:] = np.diag(np.einsum("hwc,hwc,hwc->c", weight, seen, seen))
    wanted[:4] = np.einsum("ihwc,hwc->i", weighted, left)
    wanted[4:] = np.einsum("hwc,hwc,hwc->c", weight, seen, left)
    if np.linalg.matrix_rank(normal, hermitian=True) < 7:
        return np.full(4, np.nan), np.full(3, np.nan)
    solution = np.asarray(np.linalg.solve(normal, wanted), np.float64)
    return solution[:4], solution[4:]


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
