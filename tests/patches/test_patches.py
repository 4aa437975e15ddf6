"""Windows, the store of shards, augmentation, and the order of batches."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import torch

from sftdec.datasets import Scene
from sftdec.patches import PatchStore, extract_patches, shards, windows, write_store
from sftdec.patches.augment import CropDataset, batches
from sftdec.patches.shards import lay_out, shard_schema
from sftdec.runtime.errors import DataError


def scene(height=40, width=50, name="set/one"):
    generator = np.random.default_rng(len(name))
    sharp = generator.integers(0, 256, (height, width, 3), np.uint8)
    sharp[:, width // 2 :] //= 16  # the right half has less contrast
    defocus = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    return Scene(name, "set", "train", "one", 6.0, sharp // 2, sharp, defocus)


def store(root, size=16, **options):
    write_store(root, extract_patches(scene(), size, size), size, options.pop("shard_patches", 4), **options)
    return PatchStore(root)


def test_windows_cover_everything_and_end_flush():
    assert windows(40, 16, 16) == [0, 16, 24] and windows(16, 16, 5) == [0] and windows(15, 16, 16) == []


def test_patches_are_the_windows_of_their_scene():
    one = scene()
    for patch in extract_patches(one, 16, 10):
        cut = (slice(patch.top, patch.top + 16), slice(patch.left, patch.left + 16))
        assert np.array_equal(patch.blurred, one.blurred[cut]) and np.array_equal(patch.sharp, one.sharp[cut])
        assert patch.statistics()["sigma_mean"] == pytest.approx(one.defocus[cut].mean() * 6, abs=1e-3)
    with pytest.raises(DataError, match=r"patches\.stride=0"):
        list(extract_patches(one, 16, 0))


def test_the_store_gives_back_each_patch_from_any_shard(tmp_path):
    patches = list(extract_patches(scene(), 16, 16))
    found = store(tmp_path)
    assert len(found) == len(patches) == 12 and found.size == 16 and len(list(tmp_path.glob("*.arrow"))) == 3
    for number in (11, 0, 5):
        for part, levels in zip(("blurred", "sharp", "defocus"), found[number], strict=True):
            assert np.array_equal(levels, getattr(patches[number], part))


def test_equal_patches_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        store(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_shard_laid_out_with_holes_has_the_bytes_that_arrow_writes(tmp_path):
    lay_out(tmp_path / "ours", 11, 96)
    schema = shard_schema(96)
    columns = [pa.array([bytes(field.type.byte_width)] * 11, field.type) for field in schema]
    with pa.OSFile(str(tmp_path / "arrows"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "arrows").read_bytes()
    assert (tmp_path / "ours").stat().st_blocks * 512 >= (tmp_path / "ours").stat().st_size  # its room is taken


def test_the_least_sharp_share_is_left_out(tmp_path):
    everything, some = store(tmp_path / "all"), store(tmp_path / "some", drop_least_sharp=0.34)
    assert len(some) == 8
    assert some.index["sharpness"].min() >= everything.index["sharpness"].sort_values().iloc[4]


def test_a_patch_larger_than_every_scene_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"64×64 px.*patches\.patch_size"):
        write_store(tmp_path, extract_patches(scene(), 64, 64), 64, 4)


def test_a_store_that_is_missing_or_damaged_names_the_stage_to_run(tmp_path):
    with pytest.raises(DataError, match="dvc repro patches"):
        PatchStore(tmp_path)
    store(tmp_path)
    shard = tmp_path / "patches-0001.arrow"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"patches-0001\.arrow.*cut short"):
        PatchStore(tmp_path)
    shard.unlink()
    with pytest.raises(DataError, match="missing"):
        PatchStore(tmp_path)


def test_a_store_that_other_code_built_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LAYOUT", "0")
    write_store(tmp_path, extract_patches(scene(), 16, 16), 16, 8)
    with pytest.raises(DataError, match=r"built with other code \(layout 0\).*dvc repro -f patches"):
        PatchStore(tmp_path)


def test_a_store_works_in_another_process(tmp_path):
    found = store(tmp_path)
    assert np.array_equal(pickle.loads(pickle.dumps(found))[7][0], found[7][0])


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_the_same_position_gives_the_same_crop_and_others_differ(tmp_path, rotation):
    first, second = (CropDataset(store(tmp_path), 8, seed=3, rotation=rotation) for _ in range(2))
    expected = [first[position]["blurred"] for position in (40, 3, 17)]
    found = [second[position]["blurred"] for position in (40, 3, 17)]
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert not torch.equal(expected[0], expected[1])


def test_blurred_sharp_and_map_move_together(tmp_path):
    one = scene(64, 64)
    flat = Scene("s", "set", "train", "p", 6.0, one.sharp, one.sharp, (one.sharp[..., 0] / np.float32(255)))
    write_store(tmp_path, extract_patches(flat, 64, 64), 64, 4)
    for position in range(12):
        batch = CropDataset(PatchStore(tmp_path), 24, seed=1)[position]
        assert torch.equal(batch["blurred"], batch["sharp"])
        assert torch.allclose(batch["defocus"][0], batch["blurred"][0] / 255, atol=1e-4)


def test_a_rotated_crop_has_no_empty_corner(tmp_path):
    bright = np.full((64, 64, 3), 200, np.uint8)
    flat = Scene("s", "set", "train", "p", 6.0, bright, bright, np.ones((64, 64), np.float32))
    write_store(tmp_path, extract_patches(flat, 64, 64), 64, 4)
    dataset = CropDataset(PatchStore(tmp_path), 40, seed=1, rotation=180.0)
    for position in range(10):
        batch = dataset[position]
        assert batch["blurred"].min() == 200 and batch["defocus"].min() > 0.99


def test_an_epoch_sees_every_patch_once(tmp_path):
    dataset = CropDataset(store(tmp_path), 16, seed=5)
    seen = [dataset.patch_at(position) for position in range(36)]
    assert sorted(seen[:12]) == sorted(seen[12:24]) == list(range(12)) and seen[:12] != seen[12:24]


def test_batches_resume_in_the_middle_and_are_the_same_with_workers(tmp_path):
    dataset = CropDataset(store(tmp_path), 8, seed=5)
    whole = list(batches(dataset, 0, 6, 4))
    assert len(whole) == 6 and whole[0]["blurred"].shape == (4, 3, 8, 8) and whole[0]["defocus"].shape == (4, 1, 8, 8)
    for again in (list(batches(dataset, 3, 6, 4)), list(batches(dataset, 3, 6, 4, workers=1))):
        assert all(torch.equal(a["sharp"], b["sharp"]) for a, b in zip(whole[3:], again, strict=True))
