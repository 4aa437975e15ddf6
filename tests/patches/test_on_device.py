"""Crops cut by index where the patches lie: the right pixels, each patch once an epoch, and nothing drawn anew."""

from collections import Counter

import numpy as np
import pytest
import torch

from sftdec.params import AugmentationParams
from sftdec.patches import CropDataset, DeviceCrops, Patch, PatchStore, cuts_on_device, write_store

SIZE, CROP, PATCHES = 20, 12, 5
CPU = torch.device("cpu")


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(0)

    def patch(number):
        blurred, sharp = generator.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
        defocus = generator.integers(0, 65536, (SIZE, SIZE), np.uint16)
        return Patch(str(number), "set", 0, 0, blurred, sharp, defocus, 6.0, sharp.mean(2, dtype=np.float32))

    write_store(tmp_path, map(patch, range(PATCHES)), SIZE)
    return CropDataset(PatchStore(tmp_path), AugmentationParams(crop=CROP, rotation=0.0, flips=True), seed=3)


def cut_by_hand(levels, top, left, symmetry):
    part = levels[top : top + CROP, left : left + CROP]
    part = part[::-1] if symmetry & 1 else part
    part = part[:, ::-1] if symmetry & 2 else part
    return part.swapaxes(0, 1) if symmetry & 4 else part


def test_every_symmetry_and_corner_gives_the_pixels_that_slicing_gives(dataset):
    crops, last = DeviceCrops(dataset, True, CPU), SIZE - CROP
    places = [(number % PATCHES, last * (number & 1), number % (last + 1), number % 8) for number in range(40)]
    made = crops.cut(torch.tensor(places))
    assert made["blurred"].dtype == made["sharp"].dtype == torch.uint8 and made["defocus"].dtype == torch.float32
    for row, (patch, *place) in enumerate(places):
        blurred, sharp, defocus = dataset.store[patch]
        assert np.array_equal(made["blurred"][row].permute(1, 2, 0), cut_by_hand(blurred, *place))
        assert np.array_equal(made["sharp"][row].permute(1, 2, 0), cut_by_hand(sharp, *place))
        by_hand = cut_by_hand(defocus, *place).astype(np.float32) / np.float32(65535)
        assert np.array_equal(made["defocus"][row, 0], by_hand)


def test_an_epoch_shows_each_patch_once_in_the_data_sets_order_and_all_places_and_symmetries_come(dataset):
    crops = DeviceCrops(dataset, True, CPU)
    found = [crops.place_at(position) for position in range(200 * PATCHES)]
    assert [place[0] for place in found] == [dataset.patch_at(position) for position in range(len(found))]
    for column, values in ((1, SIZE - CROP + 1), (2, SIZE - CROP + 1), (3, 8)):
        counts = Counter(place[column] for place in found)
        assert sorted(counts) == list(range(values)) and min(counts.values()) > 0.6 * len(found) / values
    upright = DeviceCrops(dataset, False, CPU)
    assert {upright.place_at(position)[3] for position in range(100)} == {0}


def test_steps_go_on_in_the_middle_and_two_processes_share_a_step(dataset):
    def places(first, last, rank=0, world=1):
        return list(DeviceCrops(dataset, True, CPU).places(first, last, 4, rank, world))

    whole = places(0, 150)
    assert len(whole) == 150 and whole[0].shape == (4, 4)
    assert all(map(torch.equal, whole[70:], places(70, 150)))
    halves = [places(0, 150, rank, 2) for rank in range(2)]
    assert all(torch.equal(both, torch.cat(parts)) for both, *parts in zip(whole, *halves, strict=True))


def test_light_noise_and_free_turns_are_not_cut_on_a_device():
    plain = AugmentationParams(crop=CROP, rotation=0.0, flips=True)
    assert cuts_on_device(plain)
    changes = [{"rotation": 10.0}, {"brightness": 0.1}, {"noise": 0.1}, {"channel_shuffle": True}]
    assert not any(cuts_on_device(plain.model_copy(update=change)) for change in changes)
