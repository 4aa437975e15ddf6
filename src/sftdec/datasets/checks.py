"""Checks on the pixels of a scene: is the pair aligned, the sharp photo the sharper one, the map possible?

A blurred photo is no noisy copy of the sharp one, so the usual measures mislead. Phase correlation follows the finest
detail, which defocus removes, and near edges of depth the blur itself moves what is seen; here many small windows are
measured in a band that survives defocus, and the windows that agree best decide. Counting fine detail takes the
grain of a photo at high ISO for sharpness; here only detail counts that both photos have.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets.alignment import FLAT, Grey, band, contrast, correlation, halved, luminance, shift_of, windows
from sftdec.datasets.listing import Check
from sftdec.datasets.scene import Scene

_SMALLEST_FRAME = 16  # px a side, of a photo that is judged as one
_BELIEVED = 0.5  # correlation of coarse structure; pairs of one scene have over 0.8, those of two hardly any
_OCTAVES = 3  # of detail, from 0.7..1.4 to 2.8..5.6 px
_AGREE = 0.8  # correlation from which on an octave's detail is the same in both photos
_LEAST = 1e-3  # gain of an octave, below which nothing of it is left
_FULL_SHARE = 0.5  # of a map, at its full level
_SAME = 1.0  # dB of contrast that photos may differ by where a map says that nothing is blurred


@dataclass(frozen=True)
class CheckLimits:
    """What a scene may be like.

    ``max_shift``: px between sharp and blurred photo. ``min_sharpening``: dB of contrast that the sharp photo must
    have beyond the blurred one; a little below 0, so that a pair may be in focus all over. ``duplicate_distance``:
    bits in which the 64-bit hashes of one photo may differ.
    """

    max_shift: float = 1.0
    min_sharpening: float = -0.1
    duplicate_distance: int = 4


@dataclass(frozen=True)
class Refusal:
    """Why a scene is not to be used."""

    dataset: str
    scene: str
    check: Check
    reason: str


@dataclass(frozen=True)
class Measures:
    """What a pair's pixels tell; NaN where a photo has no texture to tell it by.

    ``shift``: px, of the blurred photo against the sharp one. ``spread``: px, how far the windows' shifts lie from it
    (weighted mean deviation). ``likeness``: correlation of coarse structure, -1..1. ``sharpening``: dB of contrast
    that the blurred photo lacks, in the finest octave whose detail both have, against the coarse structure's (so that
    exposure doesn't count). ``flat``: which photo has no structure at all, as a dropped frame; ``same``: they are one.
    """

    shift: float
    spread: float
    likeness: float
    sharpening: float
    flat: str = ""
    same: bool = False


def measure_pair(blurred: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> Measures:
    """Measure two photos of one size, uint8 H×W×3."""
    pair = luminance(sharp), luminance(blurred)
    half = halved(pair[0]), halved(pair[1])
    coarse = band(half[0], 2, 8), band(half[1], 2, 8)
    large = min(sharp.shape[:2]) >= _SMALLEST_FRAME
    flat = [name for name, detail in zip(("sharp", "blurred"), coarse, strict=True) if contrast(detail) < FLAT]
    if flat:
        return Measures(np.nan, np.nan, np.nan, np.nan, " and ".join(flat) if large else "")
    shift, spread = shift_of(windows(*half))
    same = large and np.array_equal(blurred, sharp)
    return Measures(shift, spread, correlation(*coarse), _sharpening(*pair), same=same)


def check_scene(scene: Scene, limits: CheckLimits, measures: Measures | None = None) -> list[Refusal]:
    """Why a scene is not to be used; nothing if it is.

    ``measures``: what ``measure_pair`` found, if it is known already.
    Of one that was rendered nothing was dropped or moved, its map isn't doubted, and where it is in focus it is the
    sharp photo on purpose.
    """
    found = measures or measure_pair(scene.blurred, scene.sharp)
    if scene.map_known:
        problems = _pair_problems(replace(found, shift=np.nan, flat="", same=False), limits)
    else:
        problems = _pair_problems(found, limits) + _map_problems(scene.defocus, found, scene.sigma_max)
    return [Refusal(scene.dataset, scene.name, check, reason) for check, reason in problems]


def check_pair(
    blurred: NDArray[np.uint8], sharp: NDArray[np.uint8], limits: CheckLimits, dataset: str, scene: str
) -> list[Refusal]:
    """Why a pair, uint8 H×W×3 of one size, is not to be used; as ``check_scene`` of a pair without a map."""
    problems = _pair_problems(measure_pair(blurred, sharp), limits)
    return [Refusal(dataset, scene, check, reason) for check, reason in problems]


def _pair_problems(found: Measures, limits: CheckLimits) -> list[tuple[Check, str]]:
    if found.flat:
        told = f"the {found.flat} photo is black or flat, without any structure: was a frame dropped?"
        return [("pair", f"{told} take the pair out")]
    if found.same:
        return [("pair", "the blurred photo is the sharp one, level by level: bring the blurred one, or take it out")]
    if found.likeness < _BELIEVED:  # what isn't of one scene, has no shift and no sharpness to compare
        told = f"their coarse structure correlates by {found.likeness:.2f}, expected {_BELIEVED} or more"
        return [("aligned", f"the photos don't show the same, or lie far apart ({told}): mend the pairing")]
    problems: list[tuple[Check, str]] = []
    if found.shift - found.spread > limits.max_shift:
        told = f"{found.shift:.1f} ± {found.spread:.1f} px, expected at most {limits.max_shift:g}"
        problems.append(("aligned", f"the photos are shifted by {told}: align them, or raise max_shift"))
    if found.sharpening < limits.min_sharpening:
        told = (
            f"found {found.sharpening:+.1f} dB of contrast in fine detail, expected {limits.min_sharpening:+g} or more"
        )
        mend = "are the two swapped?" if found.sharpening < 0 else "take the pair out, or lower min_sharpening"
        problems.append(("sharper", f"the sharp photo is not sharper than the blurred one ({told}): {mend}"))
    return problems


def _map_problems(defocus: NDArray[np.float32], found: Measures, sigma_max: float) -> list[tuple[Check, str]]:
    """What is wrong with a map in 0..1, which ``Scene`` has made sure of."""
    full = float(np.mean(defocus >= 1 - 1e-4))
    if full > _FULL_SHARE:
        reason = f"{full:.0%} of the map is at its full level, a sigma of {sigma_max:g} px, expected at most half"
        return [("map", f"{reason}: blur beyond it is cut off: raise sigma_max")]
    if not defocus.any() and found.sharpening > _SAME:
        reason = f"the map is 0 all over, but the blurred photo lacks {found.sharpening:.1f} dB of fine contrast"
        return [("map", f"{reason}: is it the map of another photo, or empty?")]
    return []


def _sharpening(sharp: Grey, blurred: Grey) -> float:
    """See ``Measures``.

    The blurred photo's detail is regressed on the sharp one's: grain that only the blurred one has takes no part.
    """
    octaves = []
    for _ in range(_OCTAVES + 1):
        octaves.append((band(sharp, 0.7, 1.4), band(blurred, 0.7, 1.4)))
        sharp, blurred = halved(sharp), halved(blurred)
    chosen = next((octave for octave in octaves[:-1] if correlation(*octave) >= _AGREE), octaves[-2])
    gains = [np.mean(first * second) / max(contrast(first) ** 2, 1e-12) for first, second in (chosen, octaves[-1])]
    return float(-20 * np.log10(max(gains[0], _LEAST) / max(gains[1], _LEAST)))
