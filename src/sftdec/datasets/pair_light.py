"""A pair of photos as light: made comparable, cut into windows, and the ladder of blurs that it is compared through.

H, W: picture; L: levels of blur.
"""

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.optics import PsfShape, point_spread_function, srgb_to_linear

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8]

_CLIPPED = 254  # grey level from which a highlight may be clipped
_MEAN = np.full((1, 3), 1 / 3, np.float32)  # of the channels
_BAND = 32  # rows that are compared at once: they stay in the processor's cache
_EQUAL = np.ones(3, np.float32)


class Blurs(NamedTuple):
    """A ladder of blurs of one shape: sigma in px and the kernels' true second moment (px², rising), L each."""

    shape: PsfShape
    sigma: Floats
    moment: Floats


def ladder(sigma_max: float, shape: PsfShape, step: float = 0.2, share: float = 0.08) -> Blurs:
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
    return Blurs(shape, np.asarray(ladder[kept], np.float32), np.asarray(np.array(moments)[kept], np.float32))


def blurred_by(image: Floats, sigma: float, shape: PsfShape) -> Floats:
    """An image, H×W(×3), blurred all over by a sigma in px."""
    kernel = point_spread_function(2 * sigma, shape)
    if kernel.size == 1:
        return image
    if shape == "gaussian":
        line = kernel.sum(axis=0)
        return cast(Floats, cv2.sepFilter2D(image, -1, line, line, borderType=cv2.BORDER_REFLECT))
    return cast(Floats, cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT))


def box(image: Floats, side: int) -> Floats:
    """The means of windows of ``side`` px."""
    return cast(Floats, cv2.boxFilter(image, -1, (side, side)))


class Pair(NamedTuple):
    """A pair made comparable: linear light H×W×3 of each, the weight of a pixel's channels and the sharp one's grey."""

    blurred: Floats
    sharp: Floats
    weight: Floats
    grey: Floats

    def misfit(self, sigma: float, shape: PsfShape, out: Floats | None = None) -> Floats:
        """Mean squared difference (8-bit levels squared, H×W) between the blurred and the sharp photo so blurred; in
        ``out``, if it is given.
        """
        return self.misfit_of(blurred_by(self.sharp, sigma, shape), out)

    def misfit_of(self, light: Floats, out: Floats | None = None) -> Floats:
        """As ``misfit``, of any light H×W×3 that the blurred photo is compared with."""
        found = np.empty(light.shape[:2], np.float32) if out is None else out
        for top in range(0, len(light), _BAND):
            rows = slice(top, top + _BAND)
            difference = cv2.subtract(light[rows], self.blurred[rows])
            cv2.multiply(difference, difference, difference)
            cv2.multiply(difference, self.weight[rows], difference)
            cv2.transform(difference, _MEAN, found[rows])
        return found


def prepare(blurred: Levels, sharp: Levels, gains: Floats = _EQUAL) -> Pair:
    """Two photos, uint8 H×W×3, in linear light, the sharp one's channels times ``gains``.

    A level's worth is the slope of the sRGB curve; clipped highlights tell little of the light that was there.
    """
    linear = srgb_to_linear(np.arange(256) / 255)
    worth = np.asarray(1 / np.gradient(linear), np.float32)
    clipped = np.where((sharp >= _CLIPPED) | (blurred >= _CLIPPED), np.float32(0.05), np.float32(1))
    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return Pair(linear[blurred], linear[sharp] * gains, clipped * worth[blurred] ** 2, grey)
