"""A large picture in tiles that overlap, so that what is computed of one tile bounds the memory."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Place = tuple[slice, slice]  # rows and columns
_SAMPLES = 3  # windows a side, that stand for a picture of several tiles


class Tiles:
    """Tiles of at most ``pixels`` of a picture of ``size`` (H, W), neighbours sharing ``overlap`` px or more.

    They depend on nothing else, so that a picture gives the same everywhere.
    """

    def __init__(self, size: tuple[int, int], pixels: int, overlap: int) -> None:
        self._overlap = overlap
        side = max(int(pixels**0.5), 2 * overlap)
        rows = min(size[0], side)
        columns = min(size[1], max(pixels // rows, side))
        rows = min(size[0], max(pixels // columns, side))
        self._size, self._spans = size, (rows, columns)

    def __iter__(self) -> Iterator[Place]:
        axes = [
            [slice(start, start + span) for start in _starts(length, span, self._overlap)]
            for length, span in zip(self._size, self._spans, strict=True)
        ]
        return iter(product(*axes))

    def samples(self, side: int) -> Iterator[Place]:
        """Windows of ``side`` px, evenly over a picture of several tiles; else the whole."""
        if self._spans == self._size:
            yield from self
            return
        axes = [
            [slice(int(at), int(at) + side) for at in np.linspace(0, length - side, _SAMPLES)]
            if length > side
            else [slice(0, length)]
            for length in self._size
        ]
        yield from product(*axes)

    def weight(self, place: Place) -> NDArray[np.float32]:
        """How much each pixel of a tile counts, 0..1: less towards a neighbour, and all tiles together 1."""
        ramps = []
        for part, length in zip(place, self._size, strict=True):
            span = part.stop - part.start
            rising = np.minimum((np.arange(span, dtype=np.float32) + 1) / (self._overlap + 1), 1)
            ramps.append(
                (rising if part.start else 1) * (rising[::-1] if part.stop < length else np.ones(span, np.float32))
            )
        return np.asarray(np.outer(*ramps), np.float32)


def _starts(length: int, span: int, overlap: int) -> list[int]:
    count = 1 if length == span else 1 + int(np.ceil((length - span) / (span - overlap)))
    return [int(start) for start in np.linspace(0, length - span, count)]
