"""Blurred, sharp and map move as one; light and noise touch what they are meant to."""

import builtins
import importlib.util
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.params import largest_extent
from sftdec.patches import PatchStore, write_store
from sftdec.patches.augment import CropDataset
from sftdec.patches.extract import Patch
from sftdec.patches.transforms import TurnedCrop
from sftdec.runtime.errors import DataError
from tests.patches.crops import cut

SIZE, CROP = 500, 340
PLACES = [(0, 0), (0, 128), (128, 0), (128, 128), (64, 64)]


def waves(shift=(0.0, 0.0), size=SIZE):
    """A smooth pattern in 0..1, size×size, moved by ``shift`` (x, y) px."""
    y, x = np.mgrid[:size, :size].astype(float)
    x, y = x - shift[0], y - shift[1]
    return 0.5 + 0.47 * np.sin(x / 3 + y / 5) * np.cos(y / 4 - x / 7)


def patch(blurred, sharp, defocus):
    place = {"scene": "s", "dataset": "d", "top": 0, "left": 0, "sigma_max": 6.0}
    grey = np.asarray(sharp.mean(axis=2), np.float32)
    return Patch(blurred=blurred, sharp=sharp, defocus=defocus, grey=grey, **place)


def dataset_of(root, blurred, sharp, defocus, crop=CROP, **options):
    write_store(root, [patch(blurred, sharp, defocus)], len(sharp))
    return CropDataset(PatchStore(root), cut(crop, **options), seed=3)


def eight_bit(levels):
    """Three channels a third of a level apart, so that their mean knows the pattern better than 8 bits do."""
    return np.rint(levels[..., None] * 253 + np.array([0, 1, 2]) / 3).astype(np.uint8)


def pattern_of(picture):
    """What ``eight_bit`` was made from, of a crop 3×S×S."""
    return (picture.numpy().astype(float).mean(axis=0) - 1 / 3) / 253


def sixteen_bit(levels):
    return np.rint(levels * 65535).astype(np.uint16)


def displacement(first, second):
    """The largest distance (px) by which ``second`` lies off ``first`` (S×S) under the best-fitting affine motion."""
    gradient_y, gradient_x = np.gradient((first + second) / 2)
    y, x = (np.mgrid[: len(first), : len(first)] - (len(first) - 1) / 2) / len(first)
    columns = [gradient * basis for gradient in (gradient_x, gradient_y) for basis in (np.ones_like(x), x, y)]
    inner = (slice(2, -2), slice(2, -2))
    design = np.stack([column[inner].ravel() for column in columns], axis=1)
    found = np.linalg.lstsq(design, (first - second)[inner].ravel(), rcond=None)[0]
    corners = np.array([[1, sx / 2, sy / 2] for sx in (-1, 1) for sy in (-1, 1)])
    return float(np.hypot(corners @ found[:3], corners @ found[3:]).max())


def test_the_measure_of_displacement_sees_a_hundredth_of_a_pixel():
    one, other = waves(), waves((0.006, 0.008))
    assert displacement(one, other) == pytest.approx(0.01, rel=0.05) and displacement(one, one) < 1e-9


@pytest.mark.parametrize("options", [{"rotation": 180.0}, {"rotation": 20.0, "flips": False}, {"rotation": 0.0}])
def test_the_three_pictures_stay_aligned_to_a_five_hundredth_of_a_pixel(tmp_path, options):
    picture = waves()
    crops = dataset_of(tmp_path, eight_bit(picture), eight_bit(picture), sixteen_bit(picture), **options)
    for position in range(8):
        crop = crops[position]
        blurred, sharp = pattern_of(crop["blurred"]), pattern_of(crop["sharp"])
        defocus = crop["defocus"][0].numpy().astype(float)
        assert displacement(blurred, defocus) < 2e-3
        assert displacement(sharp, defocus) < 2e-3
        assert displacement(blurred, sharp) < 2e-3


def test_the_map_is_interpolated_linearly(tmp_path):
    step = np.zeros((SIZE, SIZE))
    step[:, SIZE // 2 :] = 1
    grey = np.zeros((SIZE, SIZE, 3), np.uint8)
    levels = dataset_of(tmp_path, grey, grey, sixteen_bit(step), rotation=180.0)[0]["defocus"]
    between = ((levels > 0.02) & (levels < 0.98)).float().mean()
    assert 0.001 < between < 0.05  # nearest-neighbour has no value in between, a smoother kernel more


@settings(max_examples=40, deadline=None)
@given(
    crop=st.integers(2, 90),
    rotation=st.floats(0.1, 180),
    flips=st.booleans(),
    seed=st.integers(0, 2**31),
    spare=st.integers(0, 9),
)
def test_a_turned_crop_lies_within_the_picture_whatever_its_angle(crop, rotation, flips, seed, spare):
    size = largest_extent(crop, rotation) + spare
    y, x = np.mgrid[:size, :size].astype(np.float32)
    turn = TurnedCrop(crop, rotation, flips)
    turn.set_random_seed(seed)
    params = turn.get_params_dependent_on_data({"shape": (size, size, 1)}, {})
    rows, columns = (turn.apply(levels[..., None], **params)[..., 0] for levels in (y, x))
    box = params["box"]
    corners = np.array([[i, j, 1] for i in (0, crop - 1) for j in (0, crop - 1)]) @ params["matrix"].T
    corners += (box[1].start, box[0].start)
    assert corners.min() > -1e-6 and corners.max() < size - 1 + 1e-6
    found = np.array([[columns[j, i], rows[j, i]] for i in (0, -1) for j in (0, -1)])
    assert np.abs(found - corners).max() < 1e-2  # and that is where its pixels were taken from
    steps = np.hypot(np.diff(rows, axis=1), np.diff(columns, axis=1))
    assert np.abs(steps - 1).max() < 1e-2  # turned, and neither scaled nor sheared


def power(picture):
    """Mean power of a grey picture in rings of 0.1 cycles/px, from 0 to 0.5."""
    window = np.hanning(len(picture))
    found = np.abs(np.fft.fft2((picture - picture.mean()) * np.outer(window, window))) ** 2
    frequency = np.fft.fftfreq(len(picture))
    ring = np.hypot(*np.meshgrid(frequency, frequency)) * 10
    return np.array([found[ring.astype(int) == number].mean() for number in range(5)])


def test_a_turned_picture_keeps_its_detail(tmp_path):
    noise = np.random.default_rng(0).normal(128, 30, (256, 256, 3)).clip(0, 255).astype(np.uint8)
    crops = dataset_of(tmp_path, noise, noise, noise[..., 0].astype(np.uint16), 128, rotation=180.0)
    for part in ("blurred", "sharp"):
        after = np.mean([power(crops[position][part][0].numpy().astype(float)) for position in range(30)], axis=0)
        kept = after / np.mean([power(noise[y : y + 128, x : x + 128, 0].astype(float)) for y, x in PLACES], axis=0)
        assert (kept[:4] > 0.9).all() and (kept[:4] < 1.1).all() and kept[4] > 0.8


def test_a_turned_crop_looks_at_nothing_beyond_the_picture():
    """The largest square that fits: what lies just outside the part that it is taken from makes no difference."""
    crop, turn = 40, TurnedCrop(40, 180.0, True)
    size = largest_extent(crop, 180.0)
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    wider = np.pad(picture, ((9, 9), (9, 9), (0, 0)), constant_values=255)
    for seed in range(30):
        turn.set_random_seed(seed)
        params = turn.get_params_dependent_on_data({"shape": picture.shape}, {})
        box = tuple(slice(side.start, side.stop + 18) for side in params["box"])
        moved = {"box": box, "matrix": params["matrix"] + np.array([[0, 0, 9], [0, 0, 9]])}
        assert np.array_equal(turn.apply(picture, **params), turn.apply(wider, **moved))


def test_a_crop_that_does_not_fit_when_turned_is_refused(tmp_path):
    grey = np.zeros((40, 40, 3), np.uint8)
    for crop, rotation, fits in [(40, 0.0, True), (23, 180.0, False), (22, 180.0, True), (30, 10.0, False)]:
        if fits:
            dataset_of(tmp_path, grey, grey, grey[..., 0].astype(np.uint16), crop, rotation=rotation)[0]
        else:
            with pytest.raises(DataError, match=rf"crop={crop}.*have|needs patches of"):
                dataset_of(tmp_path, grey, grey, grey[..., 0].astype(np.uint16), crop, rotation=rotation)


def test_flips_with_rotation_mirror_half_of_the_crops(tmp_path):
    picture = waves()
    one = dataset_of(tmp_path, eight_bit(picture), eight_bit(picture), sixteen_bit(picture), rotation=5.0)
    place = one._augmentation._place.transforms[0]
    handedness, quarters = [], []
    for position in range(64):
        one[position]
        turn = place.params["matrix"][:, :2]
        handedness.append(np.sign(np.linalg.det(turn)))
        quarters.append(round(np.rad2deg(np.arctan2(turn[1, 1], turn[0, 1])) / 90) % 4)
    assert 16 <= handedness.count(-1) <= 48 and set(quarters) == {0, 1, 2, 3}


@pytest.fixture
def noisy_pair(tmp_path):
    generator = np.random.default_rng(1)
    sharp = generator.integers(30, 180, (64, 64, 3), np.uint8)
    return tmp_path, sharp // 2, sharp, generator.integers(0, 65536, (64, 64), np.uint16)


@pytest.mark.parametrize("rotation", [0.0, 180.0])
def test_light_and_noise_never_touch_the_map_nor_the_place(noisy_pair, rotation):
    plain = dataset_of(*noisy_pair, crop=38, rotation=rotation)
    lit = dataset_of(*noisy_pair, crop=38, rotation=rotation, brightness=0.3, noise=0.1, channel_shuffle=True)
    for position in range(6):
        assert torch.equal(plain[position]["defocus"], lit[position]["defocus"])
        assert not torch.equal(plain[position]["blurred"], lit[position]["blurred"])
        assert torch.equal(lit[position]["blurred"], lit[position]["blurred"])  # drawn from the position alone


def test_brightness_multiplies_blurred_and_sharp_by_one_factor(noisy_pair):
    plain, lit = dataset_of(*noisy_pair, crop=40), dataset_of(*noisy_pair, crop=40, brightness=0.3)
    factors = []
    for position in range(40):
        before, after = plain[position], lit[position]
        factor = {key: float(after[key].double().sum() / before[key].double().sum()) for key in ("blurred", "sharp")}
        assert factor["blurred"] == pytest.approx(factor["sharp"], abs=0.02)
        assert (after["sharp"].double() - before["sharp"].double() * factor["sharp"]).abs().max() < 1.5
        factors.append(float(factor["sharp"]))
    assert 0.69 < min(factors) < 0.8 and 1.2 < max(factors) < 1.31


def test_a_shuffle_of_channels_is_the_same_in_blurred_and_sharp(noisy_pair):
    plain, shuffled = dataset_of(*noisy_pair, crop=40), dataset_of(*noisy_pair, crop=40, channel_shuffle=True)
    orders = set()
    for position in range(60):
        before, after = plain[position], shuffled[position]
        order = [next(k for k in range(3) if torch.equal(before["sharp"][k], plane)) for plane in after["sharp"]]
        assert sorted(order) == [0, 1, 2] and torch.equal(after["blurred"], before["blurred"][order])
        orders.add(tuple(order))
    assert len(orders) == 6


def test_noise_is_in_the_blurred_picture_alone_and_no_stronger_than_asked(noisy_pair):
    plain, noisy = dataset_of(*noisy_pair, crop=40), dataset_of(*noisy_pair, crop=40, noise=0.04)
    deviations = []
    for position in range(20):
        before, after = plain[position], noisy[position]
        assert torch.equal(before["sharp"], after["sharp"])
        added = after["blurred"].double() - before["blurred"].double()
        assert abs(added.mean()) < 1
        deviations.append(float(added.std()))
    assert max(deviations) < 0.04 * 255 * 1.1 and max(deviations) > 0.02 * 255


def test_the_order_of_colours_does_not_follow_from_the_brightness(noisy_pair):
    lit = dataset_of(*noisy_pair, crop=40, brightness=0.3, channel_shuffle=True)
    light, shuffle = lit._augmentation._light.transforms
    factors = {}
    for position in range(240):
        lit[position]
        factors.setdefault(tuple(shuffle.params["channels_shuffled"]), []).append(light.params["alpha"])
    for found in factors.values():  # each order comes with dark, middling and bright
        assert set(np.digitize(found, [0.9, 1.1])) == {0, 1, 2}
    assert len(factors) == 6


def test_albumentations_is_told_to_ask_no_network_before_it_is_imported(monkeypatch):
    imported, told = builtins.__import__, []

    def watched(name, *given, **named):
        if name.partition(".")[0] == "albumentations":
            told.append(os.environ.get("NO_ALBUMENTATIONS_UPDATE"))
        return imported(name, *given, **named)

    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE", raising=False)
    monkeypatch.setattr(builtins, "__import__", watched)
    spec = importlib.util.find_spec("sftdec.patches.transforms")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert told and set(told) == {"1"}
