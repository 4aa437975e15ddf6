"""The same photo in two splits."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import resize

from sftdec.datasets.checks import CheckLimits
from sftdec.datasets.duplicates import duplicates_across_splits, photo_hash
from sftdec.datasets.photos import recipe_photo
from tests.datasets.importers.pictures import write

LIMITS = CheckLimits()


def index(rows):
    table = pd.DataFrame(rows, columns=["scene", "split", "photo_hash"])
    return table.assign(dataset="set", photo=table["scene"])


def refused(rows, limits=LIMITS):
    return [refusal.scene for refusal in duplicates_across_splits(index(rows), limits)]


def distance(first, second):
    return (int(first, 16) ^ int(second, 16)).bit_count()


def test_a_photo_keeps_its_hash_through_size_compression_and_exposure(tmp_path):
    from sftdec.photos.images import read_photo

    photo = recipe_photo("coffee")
    others = {
        "half": np.uint8(255 * resize(photo, (200, 300), anti_aliasing=True)),
        "jpeg": read_photo(write(tmp_path / "a.jpg", photo)),
        "darker": np.uint8(0.8 * photo),
    }
    for name, other in others.items():
        assert distance(photo_hash(photo), photo_hash(other)) <= LIMITS.duplicate_distance, name


def test_photos_of_two_things_have_distant_hashes():
    hashes = [photo_hash(recipe_photo(name)) for name in ("coffee", "china", "rocket", "chelsea")]
    assert min(distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 2 * LIMITS.duplicate_distance


def test_photos_with_nothing_to_see_have_no_hash_and_are_no_duplicates():
    flat = photo_hash(np.full((100, 100, 3), 77, np.uint8))
    assert flat == "" and refused([("a", "train", flat), ("b", "test", flat)]) == []


def test_training_gives_way_to_validation_and_both_to_test():
    one, two = "0123456789abcdef", "fedcba9876543210"
    rows = [("a", "train", one), ("b", "validation", one), ("c", "validation", two), ("d", "test", two)]
    assert refused(rows) == ["a", "c"]
    assert refused([("a", "train", one), ("b", "train", one), ("c", "test", two), ("d", "test", two)]) == []


def test_the_reason_names_the_other_scene_and_its_split():
    (refusal,) = duplicates_across_splits(index([("a", "train", "f" * 16), ("b", "test", "f" * 15 + "e")]), LIMITS)
    assert (refusal.dataset, refusal.scene, refusal.check) == ("set", "a", "duplicate")
    assert "same as b" in refusal.reason and "test" in refusal.reason and "1 of 64 bits" in refusal.reason


def test_an_index_without_rows_has_no_duplicates():
    assert duplicates_across_splits(index([]), LIMITS) == []


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 63), unique=True, max_size=9), st.integers(0, 8))
def test_hashes_within_the_limit_and_no_others_are_duplicates(bits, flipped, limit):
    other = bits
    for place in flipped:
        other ^= 1 << place
    rows = [("a", "train", f"{bits:016x}"), ("b", "test", f"{other:016x}")]
    assert (refused(rows, CheckLimits(duplicate_distance=limit)) == ["a"]) == (len(flipped) <= limit)


def test_twenty_thousand_scenes_are_compared_block_by_block():
    generator = np.random.default_rng(0)
    hashes = [f"{bits:016x}" for bits in generator.integers(0, 2**64, 20_000, np.uint64)]
    splits = np.where(np.arange(20_000) % 10 == 0, "test", "train")
    hashes[19_999] = hashes[10]
    assert refused(list(zip(map(str, range(20_000)), splits, hashes, strict=True))) == ["19999"]
