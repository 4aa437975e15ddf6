"""How much of its result a picture takes, and where: composed in the picture's own levels, for every way in alike."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sftdec.inference.levels import DIVERGED, as_levels, as_values
from sftdec.photos import PhotoError

Floats = NDArray[np.float32]
Weights = Callable[[slice, slice], Floats]  # rows and columns of a picture → h×w
Only = Literal["background", "foreground", "blurred"]
ONLY: tuple[Only, ...] = get_args(Only)
STRONGEST = 1.5  # on real pairs hardly any gain is left there; beyond it the photo itself is nearer to the truth
IN_FOCUS = (0.4, 0.65)  # px of sigma: up to the one a photo stays as it is, from the other on the result is taken
SHARP, BLURRED = 0.75, 1.25  # px of sigma: what is in focus reads up to the one, what is clearly not from the other on
EVENING, HALO = 3.0, 9  # px: of a Gaussian over the map, and how far it is computed
MAP_SIDE = 256  # px, of the map that regions are found in
LOWER = 0.05  # of the height, by which what is in front lies below what is in focus
SMOOTHING = 2.0  # px of it, so that a speck is no region


@dataclass(frozen=True)
class Blend:
    """What of a result is taken; by default all of it.

    ``strength``: 0 is the picture itself, 1 the result; up to ``STRONGEST`` what was changed is exaggerated.
    ``mask``: H×W of bool, uint8, uint16 or float in 0..1, 0 where the picture is to stay.
    ``only``: where the defocus map says blurred, all of it or one side of what is in focus (see ``in_front``).
    """

    strength: float = 1.0
    mask: NDArray[Any] | None = None
    only: Only | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the result is taken as it is."""
        return self.strength == 1 and self.mask is None and self.only is None

    def check(self, size: tuple[int, int]) -> None:
        """Refuse what makes no sense for a picture of ``size`` (H, W).

        Raises:
            PhotoError: a strength that is no number or out of range, a mask of another size or type, with values out
                of range or that leaves everything as it is, or an ``only`` that there isn't.
        """
        strength: object = self.strength
        if isinstance(strength, bool) or not isinstance(strength, int | float | np.number):
            raise PhotoError(f"strength: found {strength!r}, expected a number from 0 to {STRONGEST:g}")
        if not 0 <= float(strength) <= STRONGEST:
            raise PhotoError(f"strength: found {float(strength):g}, expected 0 to {STRONGEST:g}")
        if self.only is not None and self.only not in ONLY:
            raise PhotoError(f"only: found {self.only!r}, expected {', '.join(ONLY)} or None")
        if self.mask is not None:
            _check_mask(self.mask, size)

    def weights(self, defocus: Floats, sigma_max: float) -> Weights:
        """How much of the result each pixel takes, by a map H×W whose 1.0 stands for ``sigma_max`` px.

        Raises:
            PhotoError: ``only`` is asked for and there is no map, or no front and back in it.
        """
        mask = self.mask
        chosen = None if self.only is None else _selection(defocus, sigma_max, self.only)

        def weigh(rows: slice, columns: slice) -> Floats:
            found = np.full((rows.stop - rows.start, columns.stop - columns.start), self.strength, np.float32)
            if mask is not None:
                found *= mask[rows, columns].astype(np.float32) / _largest(mask)
            return found if chosen is None else found * chosen(rows, columns)

        return weigh


WHOLE = Blend()


def _check_mask(mask: NDArray[Any], size: tuple[int, int]) -> None:
    if not isinstance(mask, np.ndarray) or mask.shape != size:
        found = getattr(mask, "shape", type(mask).__name__)
        raise PhotoError(f"mask: found {found}, expected {size}, the picture's height and width; scale or cut it")
    if mask.dtype not in (np.bool_, np.uint8, np.uint16) and not np.issubdtype(mask.dtype, np.floating):
        raise PhotoError(f"mask: found values of type {mask.dtype}, expected bool, uint8, uint16 or float in 0..1")
    low, high = float(mask.min()), float(mask.max())
    if not 0 <= low <= high <= float(_largest(mask)):  # nor NaN
        raise PhotoError(f"mask: found values from {low:g} to {high:g}, expected 0 to 1")
    if high == 0:
        raise PhotoError("mask: found nothing but 0 (black), expected 1 (white) where the picture is to be deblurred")


def _largest(mask: NDArray[Any]) -> np.float32:
    return np.float32(np.iinfo(mask.dtype).max if np.issubdtype(mask.dtype, np.unsignedinteger) else 1)


class Composition:
    """A picture H×W×3 that becomes its result, part by part: ``result`` is of its type, float32 for any float.

    Unless the result is wanted ``everywhere``, what the map says is in focus stays as it is: a network that denoises as
    it learnt to, and doesn't know grain from noise, costs more there than it gives.
    """

    def __init__(self, image: NDArray[Any], blend: Blend, sigma_max: float, everywhere: bool = False) -> None:
        kind = image.dtype if image.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
        self._image, self._blend, self._sigma_max = image, blend, sigma_max
        self._weights: Weights | None = None
        self._as_it_is = blend.is_whole and everywhere
        self._everywhere = everywhere
        self.result = np.empty(image.shape, kind) if self._as_it_is else image.astype(kind)

    def choose(self, defocus: Floats) -> Callable[[slice, slice], bool]:
        """By the map, which rows and columns take anything of the result: where none does, the picture stays."""
        if self._as_it_is:
            return lambda rows, columns: True
        weights = self._blend.weights(defocus, self._sigma_max)
        if not self._everywhere:
            if not math.isfinite(float(defocus.sum(dtype=np.float64))):
                raise PhotoError(DIVERGED)
            weights = _product(weights, _blurred(defocus, self._sigma_max, IN_FOCUS))
        self._weights = weights
        return lambda rows, columns: bool(weights(rows, columns).any())

    def write(self, rows: slice, columns: slice, part: Floats) -> None:
        """Take a part h×w×3 of the result, not clipped. Of weight 0 the picture stays to the bit, of 1 the part."""
        kind = self.result.dtype
        if self._weights is None:
            self.result[rows, columns] = as_levels(part, kind)
            return
        weights = self._weights(rows, columns)[..., None]
        before = as_values(self._image[rows, columns])[0].transpose(1, 2, 0)
        mixed = as_levels((1 - weights) * before + weights * np.clip(part, 0, 1), kind)
        np.copyto(self.result[rows, columns], mixed, where=weights > 0)


def _selection(defocus: Floats, sigma_max: float, only: Only) -> Weights:
    """1 where a map says blurred, 0 where in focus, what lies between in proportion; of one side alone, if wished."""
    if not math.isfinite(float(defocus.sum(dtype=np.float64))):
        raise PhotoError(
            f"only {only}: the model gives no defocus map, which says what is blurred; take another model, or a mask"
        )

    blurred = _blurred(defocus, sigma_max, (SHARP, BLURRED))
    if only == "blurred":
        return blurred
    front = in_front(defocus, sigma_max, only)
    side = front if only == "foreground" else 1 - front

    return _product(blurred, lambda rows, columns: _enlarged(side, defocus.shape, rows, columns))


def _blurred(defocus: Floats, sigma_max: float, ends: tuple[float, float]) -> Weights:
    """0 where a map reads the first of ``ends`` (px of sigma) or less, 1 from the second on, between in proportion."""

    def share(rows: slice, columns: slice) -> Floats:
        found = (_evened(defocus, rows, columns) * np.float32(sigma_max) - ends[0]) / (ends[1] - ends[0])
        return np.asarray(np.clip(found, 0, 1), np.float32)

    return share


def _product(first: Weights, second: Weights) -> Weights:
    return lambda rows, columns: np.multiply(first(rows, columns), second(rows, columns))


def _evened(defocus: Floats, rows: slice, columns: slice) -> Floats:
    """Rows and columns of a map, smoothed: its grain would be seen where the result begins."""
    import cv2

    wider = [
        slice(max(part.start - HALO, 0), min(part.stop + HALO, length))
        for part, length in zip((rows, columns), defocus.shape, strict=True)
    ]
    smooth = cv2.GaussianBlur(np.ascontiguousarray(defocus[wider[0], wider[1]]), (2 * HALO + 1,) * 2, EVENING)
    top, left = rows.start - wider[0].start, columns.start - wider[1].start
    return np.asarray(smooth[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start])


def in_front(defocus: Floats, sigma_max: float, only: str = "foreground") -> Floats:
    """Where a picture would be in front of what is in focus, 0..1, of at most ``MAP_SIDE`` px, by its map H×W.

    A map doesn't tell: blur is alike on either side of the focus. Taken is what holds of most photos, which are taken
    upright, over ground, and blurred behind: of the connected regions that are blurred, those are in front whose centre
    lies lower than that of what is in focus, by a twentieth of the height, and all others behind. What isn't blurred
    belongs to the nearest of them. docs/using.md says how often that is right (``benchmarks/blend.py``).
    """
    import cv2

    from sftdec.photos import shrunk

    small = cv2.GaussianBlur(shrunk(defocus, MAP_SIDE) * np.float32(sigma_max), (0, 0), SMOOTHING)
    blurred = small > (SHARP + BLURRED) / 2
    if blurred.all():
        raise PhotoError(
            f"only {only}: found nothing in focus, so there is no front and no back of it; take blurred, or a mask"
        )
    focus = float(np.nonzero(~blurred)[0].mean())
    _, labels, _, centres = cv2.connectedComponentsWithStats(blurred.astype(np.uint8), connectivity=4)
    lower = centres[:, 1] > focus + LOWER * blurred.shape[0]
    lower[0] = False  # what isn't blurred
    near, far = lower[labels], blurred & ~lower[labels]
    if not near.any() or not far.any():
        return np.full(small.shape, near.any(), np.float32)
    to_near, to_far = (cv2.distanceTransform((~each).astype(np.uint8), cv2.DIST_L2, 5) for each in (near, far))
    return np.asarray(cv2.GaussianBlur((to_near < to_far).astype(np.float32), (0, 0), SMOOTHING), np.float32)


def _enlarged(small: Floats, size: tuple[int, ...], rows: slice, columns: slice) -> Floats:
    """Rows and columns of a small picture as it would be in ``size``: each pixel's value doesn't hang on the part."""
    down, across = _places(small.shape[0], size[0], rows), _places(small.shape[1], size[1], columns)
    return _between(_between(small, *down).T, *across).T


def _places(length: int, of: int, part: slice) -> tuple[NDArray[np.intp], Floats]:
    at = np.clip((np.arange(part.start, part.stop) + 0.5) * (length / of) - 0.5, 0, length - 1)
    first = np.minimum(at.astype(np.intp), max(length - 2, 0))
    return first, (at - first).astype(np.float32)


def _between(values: Floats, first: NDArray[np.intp], share: Floats) -> Floats:
    after = np.minimum(first + 1, values.shape[0] - 1)
    mixed: Floats = values[first] * (1 - share)[:, None] + values[after] * share[:, None]
    return mixed
