"""What a given seed and a given set of scenes have always given: checksums that a change must not move."""

import hashlib

import numpy as np
import pytest

from sftdec.datasets import Scene
from sftdec.patches import PatchStore, extract_patches, write_store
from sftdec.patches.augment import CropDataset
from tests.patches.crops import cut


def checksum(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.fixture
def scene():
    generator = np.random.default_rng(7)
    sharp = generator.integers(0, 256, (40, 50, 3), np.uint8)
    sharp[:, 25:] //= 16
    defocus = np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50)
    return Scene("set/one", "set", "train", "one", 6.0, sharp // 2, sharp, defocus)


@pytest.mark.parametrize(
    ("flips", "expected"),
    [
        (True, "7cb1218ecb68281fddea3488998abc99b6dec769b1db4bd82b2b88c803502e41"),
        (False, "06c55fd5ad25e27b29bda163cf0e2a594cb6f705cce2913c640463b2fb1e62a3"),
    ],
)
def test_a_seed_and_a_position_give_the_crop_they_always_gave(tmp_path, scene, flips, expected):
    write_store(tmp_path, extract_patches(scene, 16, 16), 16)
    dataset = CropDataset(PatchStore(tmp_path), cut(11, flips=flips), seed=7)
    crops = [dataset[position] for position in (0, 1, 2, 5, 11, 12, 30, 1000003)]
    pictures = [crop[part] for crop in crops for part in ("blurred", "sharp", "defocus")]
    assert checksum(*(picture.contiguous().numpy().tobytes() for picture in pictures)) == expected


@pytest.mark.parametrize(
    ("share", "levels", "rows"),
    [
        (
            0.0,
            "0c3b2570f661fbb60d99800d0bf098fbb4782379eac82b088dc2fb97fa7a5a3e",
            "a611eda35d417723a291cbcd35928d4211adef3bd5d021c4c3b6b33b432f7a76",
        ),
        (
            0.34,
            "e90b09ffae2bf898e5b60b84f7b4c312962a77f843e26a2e6b05f4bb971c1e59",
            "bab2f14eafefd553316c88bd23fcd1e7d4303c958460b60aa2e46b387978da90",
        ),
    ],
)
def test_a_scene_gives_the_patches_and_the_index_it_always_gave(tmp_path, scene, share, levels, rows):
    index = write_store(tmp_path, extract_patches(scene, 16, 16), 16, share)
    store = PatchStore(tmp_path)
    assert checksum(*(part.tobytes() for number in range(len(store)) for part in store[number])) == levels
    assert checksum(index.to_csv(index=False).encode()) == rows
