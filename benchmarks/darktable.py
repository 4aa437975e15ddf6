"""A ``.dtmodel`` computed as darktable does it, tile by tile, against the same photo in one piece.

    python -m benchmarks.darktable ARCHIVE PHOTO [--tiles 256 512 768 1024]

A row a tile: its side with the overlap (px), the mean and the largest difference from the one piece (8-bit levels), the
largest step that a tile's border adds between neighbouring pixels (levels), which is what a seam is seen by, and the
largest difference near the photo's edge, which is left out of the others: darktable continues a photo by mirroring it.
"""

import argparse
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from sftdec.inference.darktable import IDENTIFIER, INPUT, OUTPUT, OVERLAP
from sftdec.photos import read_photo

EDGE = 96  # px, from where on the photo's edge isn't seen
Compute = Callable[[np.ndarray], np.ndarray]


def computing(archive: Path) -> Compute:
    """What an archive's network makes of a picture 1×3×H×W."""
    with zipfile.ZipFile(archive) as opened:
        content = opened.read(f"{IDENTIFIER}/model.onnx")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda picture: session.run([OUTPUT], {INPUT: picture})[0]


def in_tiles(compute: Compute, picture: np.ndarray, tile: int) -> np.ndarray:
    """A picture 1×3×H×W as darktable computes it: mirrored at its borders, of each tile the middle alone."""
    height, width = picture.shape[2:]
    step, made = tile - 2 * OVERLAP, np.empty_like(picture)
    for top in range(0, height, step):
        for left in range(0, width, step):
            rows = _mirrored(np.arange(top - OVERLAP, top - OVERLAP + tile), height)
            columns = _mirrored(np.arange(left - OVERLAP, left - OVERLAP + tile), width)
            part = compute(np.ascontiguousarray(picture[:, :, rows][..., columns]))
            high, wide = min(step, height - top), min(step, width - left)
            middle = part[:, :, OVERLAP : OVERLAP + high, OVERLAP : OVERLAP + wide]
            made[:, :, top : top + high, left : left + wide] = middle
    return made


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    places = np.abs(places)
    return np.clip(np.where(places >= length, 2 * length - 2 - places, places), 0, length - 1)


def compared(whole: np.ndarray, tiled: np.ndarray, tile: int) -> dict[str, float]:
    """A row of the table."""
    error = (np.clip(tiled, 0, 1) - np.clip(whole, 0, 1)) * 255
    edge = float(np.abs(error).max())  # at the photo's own edge, which darktable continues by mirroring
    error[:, :, :EDGE], error[:, :, -EDGE:], error[..., :EDGE], error[..., -EDGE:] = 0, 0, 0, 0
    step = tile - 2 * OVERLAP
    steps = [np.abs(np.diff(error, axis=axis)) for axis in (2, 3)]
    borders = [steps[0][:, :, step - 1 :: step], steps[1][..., step - 1 :: step]]
    seam = max((float(each.max()) for each in borders if each.size), default=0.0)
    found = np.abs(error)
    return {"tile": tile, "mean": float(found.mean()), "largest": float(found.max()), "seam": seam, "edge": edge}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--tiles", type=int, nargs="+", default=[256, 512, 768, 1024])
    arguments = parser.parse_args()
    compute = computing(arguments.archive)
    picture = (read_photo(arguments.photo) / np.float32(255)).transpose(2, 0, 1)[None]
    whole = compute(picture)
    rows = [compared(whole, in_tiles(compute, picture, tile), tile) for tile in arguments.tiles]
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
