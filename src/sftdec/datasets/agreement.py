"""The two photos of a pair, made to agree in place, exposure and white balance where they differ by little.

Focusing breathes, tripods move, and a camera meters the open aperture anew. The sharp photo is moved and brought to the
blurred one's light, since the blurred one is what a network will see. Pairs that agree stay as they are, to the byte.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.alignment import (
    FLAT,
    Grey,
    Levels,
    Similarity,
    band,
    contrast,
    correlation,
    halved,
    luminance,
    similarity_of,
)
from sftdec.datasets.listing import Check
from sftdec.optics import linear_to_srgb, srgb_to_linear
from sftdec.runtime import DataError

_STAYS = 0.5  # px that a corner may be off by and stay: what windows can tell
_SURELY = 5  # times what a fit leaves, that it moves a photo by at least; depth edges move windows too
_FARTHEST = 0.01  # of the way to a corner, that a corner may be off by and be brought back
_LIGHT_STAYS = 0.03  # of a gain: less is what depth edges make of a pair
_MOST_GAIN = 1.5  # of a channel, either way
_GAINS = 0.005 * np.arange(-1200, 1200)  # natural logarithms
_DARK, _BRIGHT = 5, 250  # levels, beyond which a mean tells little of the light
_NOTHING = np.float32(1e-5)  # of light: less is none
_GAMMA = 2.2  # about the power of its levels that light is
_SEEN = 0.5  # of a gain, that levels must tell of too
_LEAST = 1 / 255  # of light, below which a mean is noise
_OTHER_LIGHT = 0.2  # spread of a pair's ratio of light (logarithm), from which on something is wrong with it
_CLEARLY = 0.5  # of that spread, that remains if one photo is taken for linear
_BELIEVED = 0.5  # correlation of coarse structure, from which on photos show the same
_SMALLEST = 96  # px a side, of a photo that is compared: smaller ones have too few wide means and windows
_LARGEST = 512  # px, shorter side that light is compared at
_SHOWN = 5  # scenes that are told of


Floats = NDArray[np.float32]


class Disagreement(DataError):
    """Two photos that can't be made to agree; ``check`` says in what."""

    def __init__(self, check: Check, reason: str) -> None:
        super().__init__(reason)
        self.check = check


class Agreed(NamedTuple):
    """Two photos of one size, uint8 H×W×3. ``made``: what was done to the sharp one; ``margin``: px cut all round."""

    blurred: Levels
    sharp: Levels
    made: str = ""
    margin: int = 0


def agree(blurred: Levels, sharp: Levels) -> Agreed:
    """Bring a sharp photo to its blurred one's place and light, uint8 H×W×3 of one size, where it is a little off.

    Raises:
        Disagreement: it is far off; the message says in what, by how much, and the mend.
    """
    greys = [band(halved(luminance(photo)), 2, 8) for photo in (blurred, sharp)]
    if min(sharp.shape[:2]) < _SMALLEST or min(map(contrast, greys)) < FLAT or correlation(*greys) < _BELIEVED:
        return Agreed(blurred, sharp)  # for the checks to refuse
    _refuse_other_curve(blurred, sharp)
    made = []
    found, margin = similarity_of(sharp, blurred), 0
    if found is not None and found.moved > max(_STAYS, _SURELY * found.left):
        far = _FARTHEST * found.reach
        than = "larger" if found.scale > 0 else "smaller"
        told = f"{abs(100 * found.scale):.2f} % {than}, turned by {_signed(np.degrees(found.turn), 2)}°"
        if found.corner > far:
            raise Disagreement(
                "aligned",
                f"the blurred photo is {told} against the sharp one: a corner lies {found.corner:.1f} px off, expected "
                f"at most {far:.1f}: register the two (focusing breathes, tripods turn), or take the pair out",
            )
        if np.hypot(*found.shift) <= max(1.0, far):
            margin = int(np.ceil(found.moved))
            blurred, sharp = _cut(blurred, margin), _cut(_warped(sharp, found), margin)
            down, right = (_signed(shift, 1) for shift in found.shift)
            made.append(f"moved by {found.moved:.1f} px at most ({told}, {down} px down, {right} px right)")
    gains = _gains(blurred, sharp)
    if np.abs(gains - 1).max() > _LIGHT_STAYS:
        light = srgb_to_linear(np.arange(256) / 255)[sharp] * gains
        sharp = np.rint(255 * linear_to_srgb(np.clip(light, 0, 1).astype(np.float32))).astype(np.uint8)
        made.append("light of red, green and blue × " + ", ".join(f"{gain:.2f}" for gain in gains))
    return Agreed(blurred, sharp, "; ".join(made), margin)


def told_made(made: Sequence[str]) -> list[str]:
    """Of which scenes the sharp photo was changed, and how, in some lines; none of none."""
    if not made:
        return []
    more = [f"  and {len(made) - _SHOWN} more"] if len(made) > _SHOWN else []
    return [
        f"made to agree: the sharp photo of {len(made)} scene{'s' * (len(made) > 1)}",
        *(f"  {line}" for line in made[:_SHOWN]),
        *more,
    ]


def _signed(number: float, places: int) -> str:
    """With its sign, and nothing as +0."""
    return f"{round(number, places) + 0.0:+.{places}f}"


def _cut(photo: Levels, margin: int) -> Levels:
    return np.ascontiguousarray(photo[margin : photo.shape[0] - margin, margin : photo.shape[1] - margin])


def _warped(sharp: Levels, found: Similarity) -> Levels:
    """The sharp photo, as the blurred one lies."""
    middle = (np.array(sharp.shape[1::-1]) - 1) / 2  # right, down
    grown = np.array([[1 + found.scale, -found.turn], [found.turn, 1 + found.scale]])
    offset = middle + found.shift[::-1] - grown @ middle
    matrix = np.column_stack([grown, offset])
    flags, border = cv2.INTER_LANCZOS4, cv2.BORDER_REFLECT
    return np.asarray(cv2.warpAffine(sharp, matrix, sharp.shape[1::-1], flags=flags, borderMode=border), np.uint8)


def _gains(blurred: Levels, sharp: Levels) -> Floats:
    """Light of the blurred photo against the sharp one's, by channel: 1 where levels don't tell of one too.

    A photo that was blurred in its levels rather than in light has lost light at its edges, but no levels.
    """
    plain = np.asarray(np.arange(256) / 255, np.float32)
    gains = _ratios(blurred, sharp, np.asarray(srgb_to_linear(plain), np.float32))
    gains_of_levels = _ratios(blurred, sharp, plain)
    seen = np.log(gains_of_levels) * _GAMMA / np.where(gains == 1, 1, np.log(gains))
    gains = np.where(seen > _SEEN, gains, np.float32(1))
    if max(float(gains.max()), 1 / float(gains.min())) > _MOST_GAIN:
        told = ", ".join(f"{gain:.2f}" for gain in gains)
        raise Disagreement(
            "light",
            f"the blurred photo has {told} times the sharp one's light (red, green, blue), expected at most "
            f"{_MOST_GAIN:g} times, either way: develop both with one exposure and one white balance, or take it out",
        )
    return gains


def _shrunk(light: Floats) -> Floats:
    """Light at a size that wide means are quickly made of."""
    factor = _LARGEST / min(light.shape[:2])
    return (
        light
        if factor >= 1
        else np.asarray(cv2.resize(light, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    )


def _ratios(blurred: Levels, sharp: Levels, meant: Floats) -> Floats:
    """The commonest ratio of wide means in each channel, of what levels are meant to be."""
    means, means_of_sharp = (cv2.GaussianBlur(_shrunk(meant[photo]), (0, 0), 8) for photo in (blurred, sharp))
    tells = (np.maximum(means, means_of_sharp) < meant[_BRIGHT]) & (np.minimum(means, means_of_sharp) > meant[_DARK])
    # or one of them is dark all over, or bright
    apart = (np.maximum(means, means_of_sharp) > meant[4 * _DARK]) & (
        np.minimum(means, means_of_sharp) < meant[_BRIGHT]
    )
    ratios = np.ones(3, np.float32)
    for channel in range(3):
        chosen = tells[..., channel]
        if not chosen.any():
            chosen = apart[..., channel]
        light, other = (np.maximum(each[..., channel][chosen], _NOTHING) for each in (means_of_sharp, means))
        counts, edges = np.histogram(np.log(other / light), _GAINS, weights=light)
        if counts.any():
            ratios[channel] = np.exp(edges[np.convolve(counts, np.ones(9), "same").argmax()] + 0.0025)
    return ratios


def _refuse_other_curve(blurred: Levels, sharp: Levels) -> None:
    """Refuse one photo in linear light beside one in sRGB.

    Their wide means are a multiple of each other if one is taken for linear, and clearly less so if neither is.
    """
    curve = np.asarray(srgb_to_linear(np.arange(256) / 255), np.float32)
    plain = np.asarray(np.arange(256) / 255, np.float32)

    def light(photo: Levels, meant: Grey) -> Grey:
        means = _shrunk(meant[photo].mean(axis=2))
        wide = cv2.GaussianBlur(means, (0, 0), min(means.shape) / 32)
        return np.asarray(np.log(np.maximum(wide, _LEAST)), np.float32)

    def scatter(first: Grey, second: Grey) -> float:
        return float(np.std(first - second))

    photos = blurred, sharp
    as_srgb = [light(photo, curve) for photo in photos]
    as_linear = [light(photo, plain) for photo in photos]
    found = scatter(*as_srgb)
    others = {"blurred": scatter(as_linear[0], as_srgb[1]), "sharp": scatter(as_srgb[0], as_linear[1])}
    linear = min(others, key=lambda each: others[each])
    if found > _OTHER_LIGHT and others[linear] < _CLEARLY * found:
        raise Disagreement(
            "light",
            f"the {linear} photo looks as if it were in linear light, and the other one is in sRGB: save both as sRGB, "
            "or take the pair out",
        )
