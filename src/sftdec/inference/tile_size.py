"""How large tiles may be for the memory that there is to be; the same for the same photo on every machine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.inference.runtimes import Runtime
from sftdec.inference.tiling import tile_boxes
from sftdec.runtime import LARGEST_KEPT

GIB = 2**30
MEMORY = 2.0  # GiB, where none is given
PROCESS = 0.4 * GIB  # of an interpreter with PyTorch, NumPy, Pillow and weights: 0.29 GiB measured at paper size
MEANS = 24  # bytes a feature: the condition between two layers, and its means twice, in float32
LARGEST = 1536  # px; above it the halo of the named sizes costs little, and progress comes in long steps
USUAL = 256  # px; a picture whose own size takes the memory still gets tiles of this size, unless it was given
PAGED = 1.3  # times as long takes what takes blocks too large to be kept (``keep_freed_memory``): 1.52 against 1.18
STEP = 32  # px, a multiple of every stem


def choose_tile(runtime: Runtime, image: NDArray[Any], memory: float | None = None, more: float = 0) -> int:
    """The side (px) of tiles with which deblurring ``image`` costs least and keeps a process within ``memory`` GiB.

    It follows from the network, its precision, the picture's size and type, and ``memory`` (default: 2, or as much as
    tiles of 256 px need); never from what is free just now, since other tiles would mean other last bits. ``more`` is
    what is kept beside picture and map, in bytes a pixel.

    Raises:
        ValueError: memory that isn't enough for the smallest tile; the message says how much would be.
    """
    given = max(MEMORY, predict_bytes(runtime, image, USUAL, more) / GIB) if memory is None else memory
    tiles = range(LARGEST, 0, -STEP)
    fitting = [tile for tile in tiles if predict_bytes(runtime, image, tile, more) <= given * GIB]
    if fitting:
        usual = [tile for tile in fitting if tile >= USUAL] or fitting[:1]
        return min(usual, key=lambda tile: _work(runtime, image.shape[:2], tile))
    needed = predict_bytes(runtime, image, tiles[-1], more)
    raise ValueError(
        f"memory: found {given:g} GiB, expected {np.ceil(needed / GIB * 100) / 100:g} or more for this model and a "
        f"picture of {image.shape[1]}×{image.shape[0]} px; give more or deblur a smaller picture"
    )


def predict_bytes(runtime: Runtime, image: NDArray[Any], tile: int, more: float = 0) -> float:
    """The largest resident memory of a process that deblurs ``image`` by tiles of ``tile`` px."""
    pixels = image.shape[0] * image.shape[1]
    padded = any(side % runtime.reach.stem for side in image.shape[:2])  # then the map is there twice in the end
    # the picture as it came and as it becomes, and the map
    kept = float(pixels * (2 * 3 * image.dtype.itemsize + (2 * 4 if padded else 4) + more))
    return PROCESS + kept + _tile_bytes(runtime, image.shape[:2], tile)


def _work(runtime: Runtime, size: tuple[int, ...], tile: int) -> float:
    """What deblurring costs: all pixels that are computed, halos included, more where memory comes page by page."""
    stem, halo = runtime.reach.stem, runtime.reach.deblurring
    computed, largest = 1.0, 1.0
    for side in size:
        length = -(-side // stem)
        boxes = [box.grown(halo, length, 1) for box in tile_boxes(length, 1, max(1, tile // stem))]
        sides = [(box.bottom - box.top) * stem for box in boxes]
        computed, largest = computed * sum(sides), largest * max(sides)
    return computed * (PAGED if largest * runtime.map_bytes >= LARGEST_KEPT else 1)


def _tile_bytes(runtime: Runtime, size: tuple[int, ...], tile: int) -> float:
    """Of the costliest pass: each computes a tile with its halo, as far as the picture goes."""
    reach = runtime.reach
    deblurred = _area(size, tile, max(reach.deblurring, reach.defocus), reach.stem)
    if reach.window is None:
        return deblurred * runtime.bytes_per_pixel
    means = _area(size, tile, reach.deblurring + reach.condition + reach.window // 2, reach.stem)
    kept = deblurred * 4 * reach.means / reach.stem**2
    return max(deblurred * runtime.bytes_per_pixel + kept, means * (MEANS * reach.means / reach.stem**2 + 60))


def _area(size: tuple[int, ...], tile: int, reach: int, stem: int) -> float:
    height, width = (min(side, tile + 2 * reach * stem) for side in size)
    return float(height * width)
