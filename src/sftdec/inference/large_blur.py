"""Blur larger than a network knows, taken off where it is small: in the photo at a half, a quarter, an eighth.

Beyond what it was trained for, blur reads weaker than it is, and little happens. At half the size it is half as large.
So where the map reads heavy blur, and that of the photo at half its size agrees, what is changed *there* is enlarged
and added to the photo; the same holds between a half and a quarter, and on. Grain lies over whatever is blurred, and
reads as detail in focus; at a quarter of the size it is gone, so that where *that* map reads heavy blur, half the size
is asked, too. Shares follow the smoothed maps, so that
there are no seams, and of share 0 a pixel is to the bit what it is without all this. A scale that no pixel needs isn't
computed. What was added is not deblurred again at the finer scale: that lost 2 to 4 dB where it was tried.

Scales are means of 2×2 px of sRGB values, as differences are added to them: where blur is heavy, light's are the same.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.inference.levels import as_levels, as_values
from sftdec.inference.runtimes import Floats, Runtime
from sftdec.inference.tiling import Choose, Picture, Write, deblur_in_tiles

Progress = Callable[[int, int], None]
MOST_SCALES = 3  # an eighth
FITS = 0.5  # of a network's sigma_max: up to there blur reads as what it is, and is taken off well
# parts of sigma_max, from nothing to all of the coarser scale: what the finer map must read, and what its half's
HEAVY, HALVED = (0.17, 0.3), (0.4, 0.5)
HIDDEN = (0.2, 0.3)  # what a quarter's map must read where grain may hide the blur from the finer one
CERTAIN, DOUBT = 0.67, 0.3  # what the finer map reads below the one tells against the half's by the other times as much
MOST_CHANGE, AROUND = 4.0, 4.0  # times the deviation around a pixel (px of a Gaussian) of what it may change by
EVENING = 3.0  # px of the coarser scale, of a Gaussian over the maps: a share has no edges
SMALLEST = 64  # px: a scale's shorter side
STRIP = 64  # rows that are halved at a time
BYTES = 12.0  # a pixel of the photo, beside what deblurring keeps: the scales, their changes and the joint map


def check_max_blur(max_blur: float | None, sigma_max: float) -> float:
    """The largest blur (px of sigma) that is looked for, for a network whose maps end at ``sigma_max``.

    None is what fits at an eighth of the size, half of its range there: 24 px for one that ends at 6. The network's own
    limit, or less, is that limit.

    Raises:
        ValueError: no number, below 0, or more than fits at an eighth of the size.
    """
    most = FITS * sigma_max * 2.0**MOST_SCALES
    if max_blur is None:
        return most
    if not 0 <= max_blur <= most:
        raise ValueError(f"max_blur: found {max_blur:g}, expected px of sigma, 0 (off) to {most:g} with this model")
    return float(max(max_blur, sigma_max))


def count_scales(max_blur: float, sigma_max: float) -> int:
    """How often a photo is halved so that ``max_blur`` fits a network whose maps end at ``sigma_max``."""
    if max_blur <= sigma_max:
        return 0
    return min(MOST_SCALES, math.ceil(math.log2(max_blur / (FITS * sigma_max))))


@dataclass(frozen=True)
class Coarser:
    """What half the size says of a picture: arrays h×w of it. ``sigma`` is in the network's units there."""

    change: Floats  # h×w×3, to be added
    share: Floats  # 0..1, how much of a pixel is taken from it
    sigma: Floats

    def mixed(self, image: NDArray[Any], rows: slice, columns: slice, part: Floats | None) -> Floats:
        """Rows and columns of a picture as they become, h×w×3; ``part`` is what its own scale makes of them."""
        share = np.clip(enlarged(self.share, rows, columns), 0, 1)[..., None]
        changed = as_values(image[rows, columns])[0].transpose(1, 2, 0) + enlarged(self.change, rows, columns)
        return changed if part is None else np.where(share > 0, part + share * (changed - part), part)

    def takes_all(self, rows: slice, columns: slice) -> bool:
        """Whether of rows and columns everything is taken from it."""
        return bool((enlarged(self.share, rows, columns) >= 1).all())

    def joint(self, defocus: Floats) -> Floats:
        """The map H×W of the picture, where this scale says so by what it says; both in the network's units."""
        made = defocus.copy()
        for top in range(0, len(made), STRIP):
            rows, columns = slice(top, min(top + STRIP, len(made))), slice(0, made.shape[1])
            share = np.clip(enlarged(self.share, rows, columns), 0, 1)
            made[rows] += share * (2 * enlarged(self.sigma, rows, columns) - made[rows])
        return made


def deblur_at_scales(
    runtime: Runtime,
    image: NDArray[Any],
    tile: int,
    write: Write,
    progress: Progress | None = None,
    turn: AbstractContextManager[Any] | None = None,
    choose: Choose = lambda defocus: lambda rows, columns: True,
    scales: int = MOST_SCALES,
) -> Floats:
    """As ``tiling.deblur_in_tiles``, and heavier blur at up to ``scales`` coarser scales.

    Returns:
        The defocus map, float32 H×W, in the network's units, which it exceeds where a coarser scale says so.
    """
    counted, joint, coarser = _Counted(progress), None, None
    left: list[tuple[slice, slice]] = []

    def prepare(defocus: Floats) -> Callable[[slice, slice], bool]:
        nonlocal joint, coarser
        coarser = _coarser(runtime, image, defocus, tile, counted, turn, scales)
        if coarser is None:
            return choose(defocus)
        joint = coarser.joint(defocus)
        return without_whole(choose(joint), coarser)

    def without_whole(wanted: Callable[[slice, slice], bool], found: Coarser) -> Callable[[slice, slice], bool]:
        def needed(rows: slice, columns: slice) -> bool:
            if not wanted(rows, columns):
                return False
            if found.takes_all(rows, columns):
                left.append((rows, columns))
                return False
            return True

        return needed

    def write_mixed(rows: slice, columns: slice, part: Floats) -> None:
        write(rows, columns, part if coarser is None else coarser.mixed(image, rows, columns, part))

    defocus = deblur_in_tiles(
        runtime, Picture(image, runtime.reach.stem), tile, write_mixed, counted.part(), turn, prepare
    )
    for rows, columns in left:
        assert coarser is not None
        write(rows, columns, coarser.mixed(image, rows, columns, None))
    return defocus if joint is None else joint


def _coarser(
    runtime: Runtime,
    image: NDArray[Any],
    defocus: Floats,
    tile: int,
    counted: "_Counted",
    turn: AbstractContextManager[Any] | None,
    scales: int,
) -> Coarser | None:
    """What half the size says of a picture whose own map is ``defocus``; None where nothing is heavily blurred."""
    if not _has_half(image, scales):
        return None
    fine, small = _evened(halved(defocus)), halved_photo(image)
    heavy = _between(fine, HEAVY)
    if _has_half(small, scales - 1):
        found = _map_of(runtime, halved_photo(small), tile, counted.part(), turn)
        whole = slice(0, len(small)), slice(0, small.shape[1])
        heavy = np.maximum(heavy, _between(enlarged(_evened(found), *whole), HIDDEN))
    if not heavy.any():
        return None
    change, share = np.zeros(small.shape, np.float32), heavy

    def choose(found: Floats) -> Callable[[slice, slice], bool]:
        share[...] *= _between(_evened(found) - DOUBT * np.maximum(CERTAIN - fine, 0), HALVED)
        return lambda rows, columns: bool(share[rows, columns].any())

    def write(rows: slice, columns: slice, part: Floats) -> None:
        change[rows, columns] = np.clip(part, 0, 1) - as_values(small[rows, columns])[0].transpose(1, 2, 0)

    sigma = deblur_at_scales(runtime, small, tile, write, counted.part(), turn, choose, scales - 1)
    if not share.any():
        return None
    _limit(change, small)
    if not _has_half(small, scales - 1):  # what doesn't fit here, either, stays as it is
        change *= 1 - _between(_evened(sigma), (FITS, CERTAIN))[..., None]
    return Coarser(change, share, sigma)


def _map_of(
    runtime: Runtime,
    image: NDArray[np.uint16],
    tile: int,
    progress: Progress,
    turn: AbstractContextManager[Any] | None,
) -> Floats:
    """A picture's own map, and nothing deblurred."""
    picture = Picture(image, runtime.reach.stem)
    return deblur_in_tiles(
        runtime, picture, tile, lambda *part: None, progress, turn, lambda defocus: lambda rows, columns: False
    )


class _Counted:
    """Adds up what several runs say of their tiles."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._runs: list[tuple[int, int]] = []

    def part(self) -> Progress:
        """What one run is to call."""
        number = len(self._runs)
        self._runs.append((0, 0))

        def tell(done: int, of: int) -> None:
            self._runs[number] = (done, of)
            if self._progress is not None:
                self._progress(*(sum(each) for each in zip(*self._runs, strict=True)))

        return tell


def _has_half(image: NDArray[Any], scales: int) -> bool:
    return scales > 0 and min(image.shape[:2]) >= 2 * SMALLEST


def _limit(change: Floats, small: NDArray[np.uint16]) -> None:
    """Where next to nothing is to be seen, next to nothing is changed: there a network draws spots of its own."""
    import cv2

    for channel in range(3):
        values = small[..., channel] / np.float32(65535)
        mean = cv2.GaussianBlur(values, (0, 0), AROUND)
        square = cv2.GaussianBlur(values * values, (0, 0), AROUND)
        most = MOST_CHANGE * np.sqrt(np.maximum(square - mean * mean, 0))
        np.clip(change[..., channel], -most, most, out=change[..., channel])


def _evened(defocus: Floats) -> Floats:
    import cv2

    return np.asarray(cv2.GaussianBlur(defocus, (0, 0), EVENING, borderType=cv2.BORDER_REPLICATE))


def _between(values: Floats, ends: tuple[float, float]) -> Floats:
    """0 up to the first of the two, 1 from the second on."""
    return np.asarray(np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1), np.float32)


def halved(values: Floats) -> Floats:
    """Means of 2×2 of H×W(×C); an odd side's last ones are continued."""
    height, width = values.shape[:2]
    if height % 2 or width % 2:
        values = np.pad(values, [(0, height % 2), (0, width % 2), *[(0, 0)] * (values.ndim - 2)], "edge")
    pairs = values[::2] + values[1::2]
    return (pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25)


def halved_photo(image: NDArray[Any]) -> NDArray[np.uint16]:
    """A picture at half its size, of 16 bits."""
    height, width = image.shape[:2]
    small = np.empty((-(-height // 2), -(-width // 2), 3), np.uint16)
    for top in range(0, len(small), STRIP):
        values = as_values(image[2 * top : 2 * (top + STRIP)])[0].transpose(1, 2, 0)
        small[top : top + STRIP] = as_levels(halved(values), small.dtype)
    return small


def enlarged(small: NDArray[Any], rows: slice, columns: slice) -> Floats:
    """Rows and columns of what a picture h×w(×3) is at twice its size; a value is the same in every part."""
    import cv2

    height, width = small.shape[:2]
    top, left = max(rows.start // 2 - 2, 0), max(columns.start // 2 - 2, 0)
    bottom, right = min((rows.stop + 1) // 2 + 2, height), min((columns.stop + 1) // 2 + 2, width)
    part = small[top:bottom, left:right].astype(np.float32)
    by = cv2.INTER_CUBIC if part.ndim == 3 else cv2.INTER_LINEAR
    large = cv2.resize(part, (2 * (right - left), 2 * (bottom - top)), interpolation=by)
    down, across = (
        slice(rows.start - 2 * top, rows.stop - 2 * top),
        slice(columns.start - 2 * left, columns.stop - 2 * left),
    )
    return np.asarray(large[down, across])
