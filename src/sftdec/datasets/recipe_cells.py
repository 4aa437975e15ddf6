"""The cells of a table of recipes: what each column may hold, and how one scene's value is drawn from a cell."""

from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from sftdec.datasets.dead_leaves import LEAVES
from sftdec.datasets.depth import DEPTH_MODELS
from sftdec.optics import PSF_SHAPES, SUBSAMPLINGS
from sftdec.runtime import DataError

SPLITS = ("train", "validation", "test")
CONTENTS = ("photo", "leaves")
ANSWERS = ("clean", "grain")


@dataclass(frozen=True)
class Numbers:
    """The numbers of a column: from ``low`` (or only above it) to ``high``, whole or not.

    ``zero``: what 0, which lies outside these bounds, means beside them; a range can't reach it.
    """

    low: float = -inf
    high: float = inf
    above: bool = False
    whole: bool = False
    zero: str = ""

    def expected(self) -> str:
        """The bounds in words."""
        if self.zero:
            return f"{self.low:g} to {self.high:g}, or 0 alone: {self.zero}"
        if self.high == inf:
            return "above 0" if self.above else "a finite number" if self.low == -inf else f"{self.low:g} or more"
        return f"{self.low:g} to {self.high:g}"

    def allow(self, value: float) -> bool:
        """Whether a value lies within them."""
        if self.zero and value == 0:
            return True
        return bool(np.isfinite(value)) and self.low <= value <= self.high and not (self.above and value <= 0)


WORDS: dict[str, Collection[str]] = {
    "split": SPLITS,
    "content": CONTENTS,
    "depth": DEPTH_MODELS,
    "psf": PSF_SHAPES,
    "leaves": tuple(LEAVES),
    "answer": ANSWERS,
    "subsampling": SUBSAMPLINGS,
}
_LENGTH = Numbers(above=True)
_SHARE = Numbers(0, 1)
NUMBERS = {
    "count": Numbers(1, whole=True),
    "seed": Numbers(0, whole=True),
    "height": Numbers(0, whole=True),
    "width": Numbers(0, whole=True),
    "blades": Numbers(3, whole=True),
    "scale": _LENGTH,
    "top": Numbers(),
    "left": Numbers(),
    "near_m": _LENGTH,
    "far_m": _LENGTH,
    "focal_length_mm": _LENGTH,
    "pixel_pitch_um": _LENGTH,
    "max_coc_px": Numbers(0),
    "focus": _SHARE,
    "softness_px": Numbers(0),
    "shot_noise": Numbers(0),
    "read_noise": Numbers(0),
    "gamma": Numbers(0.5, 4, zero="sRGB's curve"),
    "highlight": Numbers(1, 16),
    "rim": Numbers(-0.9, 4),
    "corner": Numbers(0, 1.2),
    "fringe_px": Numbers(-2, 2),
    "cut_map": Numbers(0, 1, whole=True),
    "exposure": Numbers(0.25, 4),
    "tone": _SHARE,
    "denoise": Numbers(0, 16),
    "sharpen": Numbers(0, 3),
    "sharpen_px": Numbers(0.3, 3),
    "jpeg": Numbers(1, 100, whole=True, zero="no JPEG"),
}


def number(text: str, key: str, where: str) -> float:
    """The number that a cell, or a part of one, holds."""
    bounds = NUMBERS[key]
    try:
        value = float(text)
    except ValueError:
        raise DataError(
            f"{where}, {key}: found {text!r}, expected a number or a range lo..hi, or several of them as a|b; "
            f"give {bounds.expected()}"
        ) from None
    if not bounds.allow(value):
        raise DataError(f"{where}, {key}: found {text}, expected {bounds.expected()}; change this cell")
    if bounds.whole and value != int(value):
        raise DataError(f"{where}, {key}: found {text}, expected a whole number; round it")
    return value


def words(text: str, key: str, where: str, allowed: Collection[str]) -> list[str]:
    """The words that a cell leaves open."""
    options = [option.strip() for option in text.split("|")]
    for option in options:
        if option not in allowed:
            raise DataError(f"{where}, {key}: found {option!r}, expected one of {', '.join(allowed)}; change this cell")
    return options


def drawn_number(text: str, key: str, where: str, share: float) -> float | int:
    """The number of a cell for one scene, by a random ``share`` (0..1).

    Of several, ``a|b``, each is as likely as the others; a range is drawn log-uniformly where it lies above 0, else
    uniformly, and so are whole numbers.
    """
    ranges = [_bounds(option.strip(), key, where) for option in text.split("|")]  # a fault is told whatever is drawn
    chosen = min(int(share * len(ranges)), len(ranges) - 1)  # a share next to 1 rounds up
    share, (low, high) = share * len(ranges) - chosen, ranges[chosen]
    if low == high:
        return int(low) if NUMBERS[key].whole else low
    if NUMBERS[key].whole:
        return min(int(low + share * (high - low + 1)), int(high))
    return low * (high / low) ** share if low > 0 and high / low < inf else low + share * (high - low)


def _bounds(text: str, key: str, where: str) -> tuple[float, float]:
    """Where a number or a range begins and ends."""
    if ".." not in text:
        return (value := number(text, key, where)), value
    low, high = (number(part, key, where) for part in text.split("..", 1))
    if NUMBERS[key].zero and low == 0:
        raise DataError(
            f"{where}, {key}: the range {text} begins at 0, which means {NUMBERS[key].zero}; expected a range from "
            f"{NUMBERS[key].low:g} up; write 0|{NUMBERS[key].low:g}..{high:g}, or give 0 its own row"
        )
    if not low <= high:
        raise DataError(f"{where}, {key}: the range {text} is empty, expected lo..hi with lo <= hi; turn it round")
    return low, high


def drawn(text: str, key: str, where: str, generator: np.random.Generator, photos: Collection[str]) -> Any:
    """The value of a cell for one scene; every cell uses up one random number, so cells don't disturb each other."""
    share = float(generator.random())
    if key in WORDS or key == "photo":
        options = words(text, key, where, photos if key == "photo" else WORDS[key])
        return options[min(int(share * len(options)), len(options) - 1)]
    return drawn_number(text, key, where, share)
