"""Deblurring a picture tile by tile, to the same values as in one piece.

A tile is computed with as much around it as its part of the network sees, so that nothing of the cut reaches it; where
the tile meets the picture's border the network pads as it does for the whole. The channel parts' mean is over the
whole picture, so there are three passes: the map tile by tile; the condition's mean, added up in float64; and the
deblurred picture tile by tile with that mean. Means over windows (local pooling) are made with each tile instead.

Boxes and reach count features: a feature is ``stem``×``stem`` px.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.inference.levels import as_values
from sftdec.inference.runtimes import Floats, Runtime
from sftdec.runtime import return_freed_memory

Write = Callable[[slice, slice, Floats], None]
Choose = Callable[[Floats], Callable[[slice, slice], bool]]


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, without the last ones."""

    top: int
    bottom: int
    left: int
    right: int

    def grown(self, reach: int, height: int, width: int) -> "Box":
        """With ``reach`` more on each side, as far as the picture goes."""
        return Box(
            max(self.top - reach, 0),
            min(self.bottom + reach, height),
            max(self.left - reach, 0),
            min(self.right + reach, width),
        )

    def windows(self, window: int, height: int, width: int) -> "Box":
        """All of its windows of local pooling (``networks.pooling``); at the picture's border the nearest whole one."""
        return Box(
            *_under_windows(self.top, self.bottom, height, window),
            *_under_windows(self.left, self.right, width, window),
        )

    def inside(self, outer: "Box", stem: int = 1) -> tuple[slice, slice]:
        """Its rows and columns counted from the corner of ``outer``; with ``stem``, in pixels."""
        top, left = outer.top, outer.left
        return (
            slice((self.top - top) * stem, (self.bottom - top) * stem),
            slice((self.left - left) * stem, (self.right - left) * stem),
        )

    def times(self, stem: int) -> "Box":
        """In pixels."""
        return Box(*(side * stem for side in self))


def _under_windows(start: int, stop: int, length: int, window: int) -> tuple[int, int]:
    side = min(window, length)
    first, last = (min(max(place - (side - 1) // 2, 0), length - side) for place in (start, stop - 1))
    return first, last + side


class Picture:
    """A picture H×W×3 as it came, and parts of it as the network wants them: scaled, and continued to the stem."""

    def __init__(self, image: NDArray[Any], stem: int) -> None:
        self.image, self.stem = image, stem
        self.rows, self.columns = (-(-side // stem) for side in image.shape[:2])  # of features

    def part(self, box: Box) -> Floats:
        """1×3×H×W, float32 in 0..1, of a box of features; right and below the picture continues by reflection."""
        top, bottom, left, right = box.times(self.stem)
        height, width = self.image.shape[:2]
        if bottom <= height and right <= width:
            return as_values(self.image[top:bottom, left:right])
        return as_values(self.image[np.ix_(_reflected(top, bottom, height), _reflected(left, right, width))])


def _reflected(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Where the pixels ``start`` to ``stop`` are found in a side that is continued by reflection at its end."""
    places = np.arange(start, stop)
    return np.where(places < length, places, 2 * (length - 1) - places)


def tile_boxes(rows: int, columns: int, side: int) -> list[Box]:
    """Tiles of at most ``side`` that cover a picture, row by row; of nearly one size, so that none is mostly halo."""
    return [
        Box(top, bottom, left, right) for top, bottom in _shares(rows, side) for left, right in _shares(columns, side)
    ]


def _shares(length: int, side: int) -> Iterator[tuple[int, int]]:
    parts = -(-length // side)
    for part in range(parts):
        yield part * length // parts, (part + 1) * length // parts


def deblur_in_tiles(
    runtime: Runtime,
    picture: Picture,
    tile: int,
    write: Write,
    progress: Callable[[int, int], None] | None = None,
    turn: AbstractContextManager[Any] | None = None,
    choose: Choose | None = None,
) -> Floats:
    """Deblur a picture by tiles of ``tile`` px, rounded down to the stem; each goes to ``write(rows, columns, part)``.

    A part is float32 h×w×3, not clipped. ``progress`` is told how many tiles of how many are done over all passes;
    ``turn`` is held while a tile is computed. ``choose`` is given the map and returns what says whether rows and
    columns are wanted: other tiles are not deblurred.

    Returns:
        The defocus map, float32 H×W, not clipped.
    """
    passes = _Passes(runtime, picture, max(1, tile // runtime.reach.stem), write, progress, turn or nullcontext())
    return passes.run(choose)


class _Passes:
    """One picture's way through the passes; ``guide`` is the map of the picture continued to the stem."""

    def __init__(
        self,
        runtime: Runtime,
        picture: Picture,
        side: int,
        write: Write,
        progress: Callable[[int, int], None] | None,
        turn: AbstractContextManager[Any],
    ) -> None:
        self.runtime, self.reach, self.picture, self.write = runtime, runtime.reach, picture, write
        self.rows, self.columns, self.stem = picture.rows, picture.columns, picture.stem
        self.boxes = tile_boxes(self.rows, self.columns, side)
        self.progress, self.turn, self.done = progress, turn, 0
        window = self.reach.window
        self.local = window is not None and (window < self.rows or window < self.columns)
        self.averages = self.reach.pools and not self.local
        self.steps = len(self.boxes) * (3 if self.averages else 2)
        self.guide = np.empty((self.rows * self.stem, self.columns * self.stem), np.float32)

    def run(self, choose: Choose | None) -> Floats:
        """All passes; the map."""
        for box in self.boxes:
            self._do(self._estimate_map, box)
        height, width = self.picture.image.shape[:2]
        boxes = self.boxes
        if choose is not None:
            wanted = choose(self.guide[:height, :width])
            boxes = [box for box in boxes if wanted(*self._pixels(box))]
            self.steps = len(self.boxes) * (2 if self.averages and boxes else 1) + len(boxes)
        mean = self._average() if self.averages and boxes else None
        if len(boxes) > 1:
            return_freed_memory()
            boxes = sorted(boxes, key=self._area, reverse=True)  # so that each finds room in what the first one took
        for box in boxes:
            self._do(self._deblur, box, mean)
        return np.ascontiguousarray(self.guide[:height, :width])

    def _area(self, box: Box) -> int:
        top, bottom, left, right = box.grown(self.reach.deblurring, self.rows, self.columns)
        return (bottom - top) * (right - left)

    def _pixels(self, box: Box) -> tuple[slice, slice]:
        """Its rows and columns in the picture, which may end before its last feature does."""
        top, bottom, left, right = box.times(self.stem)
        height, width = self.picture.image.shape[:2]
        return slice(top, min(bottom, height)), slice(left, min(right, width))

    def _do(self, work: Callable[..., Any], *given: Any) -> Any:
        with self.turn:
            made = work(*given)
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.steps)
        return made

    def _estimate_map(self, box: Box) -> None:
        outer = box.grown(self.reach.defocus, self.rows, self.columns)
        estimate = self.runtime.estimate_map(self.picture.part(outer))[0, 0]
        rows, columns = box.inside(outer, self.stem)
        top, bottom, left, right = box.times(self.stem)
        self.guide[top:bottom, left:right] = estimate[rows, columns]

    def _average(self) -> Floats:
        """The condition's mean over the picture, 1×D×1×1."""
        total = sum(self._do(self._sum_condition, box) for box in self.boxes)
        return np.asarray(total / (self.rows * self.columns), np.float32)[None, :, None, None]

    def _sum_condition(self, box: Box) -> NDArray[np.float64]:
        outer = box.grown(self.reach.condition, self.rows, self.columns)
        return self.runtime.sum_condition(self._guide(outer), *box.inside(outer))

    def _deblur(self, box: Box, mean: Floats | None) -> None:
        outer = box.grown(self.reach.deblurring, self.rows, self.columns)
        if self.local:
            mean = self._local_means(outer)
        made = self.runtime.deblur(self.picture.part(outer), self._guide(outer), mean)[0]
        rows, columns = box.inside(outer, self.stem)
        down, across = self._pixels(box)
        part = made[:, rows, columns].transpose(1, 2, 0)[: down.stop - down.start, : across.stop - across.start]
        self.write(down, across, part)

    def _local_means(self, box: Box) -> Floats:
        """1×D×h×w of a box."""
        assert self.reach.window is not None
        under = box.windows(self.reach.window, self.rows, self.columns)
        outer = under.grown(self.reach.condition, self.rows, self.columns)
        rows, columns = box.inside(outer)
        return self.runtime.local_means(self._guide(outer))[:, :, rows, columns]

    def _guide(self, box: Box) -> Floats:
        top, bottom, left, right = box.times(self.stem)
        return self.guide[None, None, top:bottom, left:right]
