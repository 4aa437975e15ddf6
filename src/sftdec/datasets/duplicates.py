"""The same photo under two names: found by perceptual hash, refused where it is in two splits."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from sftdec.datasets.checks import CheckLimits, Refusal

_SIDE = 8  # of the hash: 64 bits
_FLAT = 2.0  # grey levels, standard deviation: a photo of less contrast is like any other such
_ORDER = ("train", "validation", "test")  # the first gives way
_BLOCK = 256  # hashes compared with all others at once


def photo_hash(sharp: NDArray[np.uint8]) -> str:
    """The perceptual hash of a photo, uint8 H×W×3: 16 hexadecimal digits, or none where there is nothing to see.

    Its 64 bits are the signs of the coarsest cosine terms, so that size, compression and exposure hardly change it
    (pHash, Zauner 2010, as in imagehash).
    """
    import imagehash

    picture = Image.fromarray(sharp).convert("L")
    small = np.asarray(picture.resize((32, 32), Image.Resampling.BOX), np.float32)
    return str(imagehash.phash(picture, _SIDE)) if small.std() >= _FLAT else ""


def duplicates_across_splits(index: pd.DataFrame, limits: CheckLimits) -> list[Refusal]:
    """Scenes whose photo is in another split too; training gives way to validation, and both to test.

    ``index``: columns scene, dataset, split, photo and photo_hash (of ``photo_hash``), a row a scene.
    """
    hashed = index[index["photo_hash"] != ""]
    refusals = []
    for place, split in enumerate(_ORDER):
        given, kept = hashed[hashed["split"] == split], hashed[hashed["split"].isin(_ORDER[place + 1 :])]
        for number, nearest, distance in _alike(_bits(given), _bits(kept), limits.duplicate_distance):
            row, other = given.iloc[number], kept.iloc[nearest]
            where = f"{other['scene']} (photo {other['photo']!r}, {other['split']})"
            told = f"{distance} of 64 bits differ, expected more than {limits.duplicate_distance}"
            reason = f"shows the same as {where}, but is in {split} ({told}): keep a photo in one split"
            refusals.append(Refusal(row["dataset"], row["scene"], "duplicate", reason))
    return refusals


def _alike(bits: NDArray[np.uint64], others: NDArray[np.uint64], limit: int) -> Iterator[tuple[int, int, int]]:
    """Of each hash that is within ``limit`` bits of another, its number, the nearest other's, and their distance."""
    for start in range(0, len(bits) if len(others) else 0, _BLOCK):
        distances = np.bitwise_count(bits[start : start + _BLOCK, None] ^ others)
        for offset in np.flatnonzero(distances.min(axis=1) <= limit):
            nearest = int(distances[offset].argmin())
            yield start + int(offset), nearest, int(distances[offset, nearest])


def _bits(index: pd.DataFrame) -> NDArray[np.uint64]:
    return np.array([int(digits, 16) for digits in index["photo_hash"]], np.uint64)
