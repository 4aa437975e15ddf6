"""What a given seed and a given set of scenes have always given: checksums that a change must not move."""

import hashlib

import numpy as np
import pytest

from sftdec.datasets import Scene
from sftdec.patches import PatchStore, extract_patches, write_store
from sftdec.patches.augment import CropDataset


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
    write_store(tmp_path, extract_patches(scene, 16, 16), 16, 4)
    dataset = CropDataset(PatchStore(tmp_path), 11, seed=7, flips=flips)
    crops = [dataset[position] for position in (0, 1, 2, 5, 11, 12, 30, 1000003)]
    pictures = [crop[part] for crop in crops for part in ("blurred", "sharp", "defocus")]
    assert checksum(*(picture.contiguous().numpy().tobytes() for picture in pictures)) == expected


@pytest.mark.parametrize(
    ("share", "shards", "rows"),
    [
        (
            0.0,
            "da6f55c9b3a5a892278c6cef71d643880bcd4a0f4cf52bebac971136b4704521",
            "9df7a483bfc36ec90e9ba8373bead66f9909c5f297c1e8dfdbf52c7ac1bc054c",
        ),
        (
            0.34,
            "9599d5a297751551b4fd81df0404850ecf4d072b3b1113b39b17d48f34d2ae7e",
            "67aaf5006de9cf24dd90d89c9004cbb04de753becbf4e77e3434cf6c74c62596",
        ),
    ],
)
def test_a_scene_gives_the_shards_and_the_index_it_always_gave(tmp_path, scene, share, shards, rows):
    index = write_store(tmp_path, extract_patches(scene, 16, 16), 16, 4, share)
    assert checksum(*(path.read_bytes() for path in sorted(tmp_path.glob("*.arrow")))) == shards
    assert checksum(index.to_csv(index=False).encode()) == rows
