"""Windows, the store, augmentation, and the order of batches."""

import os
import pickle
import resource
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from sftdec.datasets import Scene
from sftdec.patches import PatchStore, extract_patches, write_store
from sftdec.patches.augment import CropDataset, batches
from sftdec.patches.extract import windows
from sftdec.patches.files import photo_file
from sftdec.runtime.errors import DataError
from tests.patches.crops import cut


def scene(height=40, width=50, name="set/one"):
    generator = np.random.default_rng(len(name))
    sharp = generator.integers(0, 256, (height, width, 3), np.uint8)
    sharp[:, width // 2 :] //= 16  # the right half has less contrast
    defocus = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    return Scene(name, "set", "train", "one", 6.0, sharp // 2, sharp, defocus)


def store(root, size=16, **options):
    write_store(root, extract_patches(scene(), size, size), size, **options)
    return PatchStore(root)


def test_windows_cover_everything_and_end_flush():
    assert windows(40, 16, 16) == [0, 16, 24] and windows(16, 16, 5) == [0] and windows(15, 16, 16) == []


def test_patches_are_the_windows_of_their_scene():
    one = scene()
    for patch in extract_patches(one, 16, 10):
        cut = (slice(patch.top, patch.top + 16), slice(patch.left, patch.left + 16))
        assert np.array_equal(patch.blurred, one.blurred[cut]) and np.array_equal(patch.sharp, one.sharp[cut])
        assert patch.statistics()["sigma_mean"] == pytest.approx(one.defocus[cut].mean() * 6, abs=1e-3)


def test_the_store_gives_back_each_patch(tmp_path):
    patches = list(extract_patches(scene(), 16, 16))
    found = store(tmp_path)
    assert len(found) == len(patches) == 12 and found.size == 16
    for number in (11, 0, 5):
        for part, levels in zip(("blurred", "sharp", "defocus"), found[number], strict=True):
            assert np.array_equal(levels, getattr(patches[number], part))


def test_equal_patches_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        store(tmp_path / name)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 2 and all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )


def test_windows_larger_than_a_tile_overlap_and_lie_across_tiles(tmp_path):
    one = scene(400, 391)
    patches = list(extract_patches(one, 200, 77))
    write_store(tmp_path, patches, 200)
    found = PatchStore(tmp_path, resident=0)
    for number in reversed(range(len(patches))):
        parts = patches[number].blurred, patches[number].sharp, patches[number].defocus
        assert all(map(np.array_equal, found[number], parts))


def test_patches_of_two_photos_under_one_name_are_refused(tmp_path):
    first, second = next(extract_patches(scene(), 16, 16)), next(extract_patches(scene(41), 16, 16))
    with pytest.raises(ValueError, match="set/one: patches that overlap differ"):
        write_store(tmp_path, [first, replace(second, sharp=255 - first.sharp)], 16)


def test_a_new_photo_changes_no_others_file_and_one_that_went_leaves_none(tmp_path):
    def filled(*names):
        write_store(tmp_path, [patch for name in names for patch in extract_patches(scene(name=name), 16, 16)], 16)
        return {path.stem: path.read_bytes() for path in tmp_path.rglob("*.arrow")}

    before, after = filled("set/b", "set/c"), filled("set/a", "set/b", "set/c")
    assert sorted(after) == ["a", "b", "c"] and before.items() <= after.items()
    assert sorted(filled("set/c")) == ["c"]


def test_many_patches_take_few_descriptors_to_write_and_to_read(tmp_path):
    patches = [next(extract_patches(scene(16, 16, f"set/{number}"), 16, 16)) for number in range(5)] * 400
    limits, there = resource.getrlimit(resource.RLIMIT_NOFILE), len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 12, limits[1]))
    try:
        write_store(tmp_path, patches, 16)
        found = PatchStore(tmp_path, resident=100 * 16 * 16 * 8)
        held = [found[number] for number in range(2000)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert all(np.array_equal(view[1], patch.sharp) for view, patch in zip(held, patches, strict=True))


def test_the_least_sharp_share_is_left_out(tmp_path):
    everything, some = store(tmp_path / "all"), store(tmp_path / "some", drop_least_sharp=0.34)
    assert len(some) == 8
    assert some.index["sharpness"].min() >= everything.index["sharpness"].sort_values().iloc[4]


def test_a_store_that_is_missing_or_damaged_names_the_stage_to_run(tmp_path):
    with pytest.raises(DataError, match="dvc repro patches"):
        PatchStore(tmp_path)
    store(tmp_path)
    path = photo_file(tmp_path, "set/one")
    whole = path.read_bytes()
    for left in (len(whole) // 2, 50, 0):
        path.write_bytes(whole[:left])
        with pytest.raises(DataError, match=r"one\.arrow: the file is missing or cut short.*dvc repro -f patches"):
            PatchStore(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"one\.arrow: the file is missing"):
        PatchStore(tmp_path)


def test_a_file_that_is_damaged_or_of_another_store_is_refused_where_it_is_read(tmp_path):
    store(tmp_path / "own")
    write_store(tmp_path / "other", extract_patches(scene(), 16, 16), 16, drop_least_sharp=0.5)
    own, other = (photo_file(tmp_path / name, "set/one") for name in ("own", "other"))
    whole = own.read_bytes()
    place = whole.index(b"RIFF")
    for bad in (other.read_bytes(), whole[:place] + bytes(64) + whole[place + 64 :], bytes(900) + whole[-6:]):
        own.write_bytes(bad)
        found = PatchStore(tmp_path / "own")
        with pytest.raises(DataError, match=r"one\.arrow: the file is missing, damaged or of another store.*dvc repro"):
            [found[number] for number in range(len(found))]


@pytest.mark.parametrize("made", ["1", None])
def test_a_store_that_other_code_built_is_refused(tmp_path, made):
    store(tmp_path)
    index = pd.read_parquet(tmp_path / "index.parquet")
    index.attrs = {"layout": made} if made else {}
    index.to_parquet(tmp_path / "index.parquet")
    with pytest.raises(DataError, match=rf"built with other code \(layout {made or 'none'}\).*dvc repro -f patches"):
        PatchStore(tmp_path)


def test_a_store_works_in_another_process(tmp_path):
    found = store(tmp_path)
    assert np.array_equal(pickle.loads(pickle.dumps(found))[7][0], found[7][0])


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_the_same_position_gives_the_same_crop_and_others_differ(tmp_path, rotation):
    first, second = (CropDataset(store(tmp_path), cut(5, rotation), seed=3) for _ in range(2))
    expected = [first[position]["blurred"] for position in (40, 3, 17)]
    found = [second[position]["blurred"] for position in (40, 3, 17)]
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert not torch.equal(expected[0], expected[1])


def test_blurred_sharp_and_map_move_together(tmp_path):
    one = scene(64, 64)
    flat = Scene("s", "set", "train", "p", 6.0, one.sharp, one.sharp, (one.sharp[..., 0] / np.float32(255)))
    write_store(tmp_path, extract_patches(flat, 64, 64), 64)
    for position in range(12):
        batch = CropDataset(PatchStore(tmp_path), cut(24), seed=1)[position]
        assert torch.equal(batch["blurred"], batch["sharp"])
        assert torch.allclose(batch["defocus"][0], batch["blurred"][0] / 255, atol=1e-4)


def test_a_rotated_crop_has_no_empty_corner(tmp_path):
    bright = np.full((64, 64, 3), 200, np.uint8)
    flat = Scene("s", "set", "train", "p", 6.0, bright, bright, np.ones((64, 64), np.float32))
    write_store(tmp_path, extract_patches(flat, 64, 64), 64)
    dataset = CropDataset(PatchStore(tmp_path), cut(38, 180.0), seed=1)
    for position in range(10):
        batch = dataset[position]
        assert batch["blurred"].min() == 200 and batch["defocus"].min() > 0.99


def test_an_epoch_sees_every_patch_once(tmp_path):
    dataset = CropDataset(store(tmp_path), cut(16), seed=5)
    seen = [dataset.patch_at(position) for position in range(36)]
    assert sorted(seen[:12]) == sorted(seen[12:24]) == list(range(12)) and seen[:12] != seen[12:24]


def test_batches_resume_in_the_middle_and_are_the_same_with_workers(tmp_path):
    dataset = CropDataset(store(tmp_path), cut(8), seed=5)
    whole = list(batches(dataset, 0, 6, 4))
    assert len(whole) == 6 and whole[0]["blurred"].shape == (4, 3, 8, 8) and whole[0]["defocus"].shape == (4, 1, 8, 8)
    for again in (list(batches(dataset, 3, 6, 4)), list(batches(dataset, 3, 6, 4, workers=1))):
        assert all(torch.equal(a["sharp"], b["sharp"]) for a, b in zip(whole[3:], again, strict=True))
