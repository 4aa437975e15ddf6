"""Blur that is larger than a network knows."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from sftdec.builtin import builtin_weights
from sftdec.inference.engine import Engine
from sftdec.inference.large_blur import (
    BYTES,
    Coarser,
    _limit,
    check_max_blur,
    count_scales,
    deblur_at_scales,
    enlarged,
    halved,
    halved_photo,
)
from sftdec.inference.runtimes import TorchRuntime
from sftdec.inference.tile_size import choose_tile
from sftdec.networks import load_weights
from sftdec.optics import Aperture, linear_to_srgb, render_photo, srgb_to_linear, to_8bit
from tests.inference.stirred import picture, runtime, stirred_network

EVERYWHERE = slice(0, 160), slice(0, 150)


@cache
def stirred(shift: float = 0.0) -> TorchRuntime:
    """Of a map that is heavy in places at full size and at a half; ``shift`` is added to it."""
    network = stirred_network(sigma_max=6.0)
    with torch.no_grad():
        network.defocus_map_estimation.last.bias += shift
    return runtime(network)


def deblurred(computing, image, tile, scales=3, progress=None):
    result = np.full(image.shape, np.nan, np.float32)

    def write(rows, columns, part):
        assert np.isnan(result[rows, columns]).all()  # once
        result[rows, columns] = part

    return result, deblur_at_scales(computing, image, tile, write, progress, scales=scales)


@settings(max_examples=5, deadline=None)
@given(tile=st.integers(20, 150), shift=st.sampled_from([-0.12, 0.0]))
def test_tiles_equal_the_whole_picture_at_all_scales(tile, shift):
    image = picture(160, 150)
    for found, expected in zip(deblurred(stirred(shift), image, tile), whole(shift), strict=True):
        assert np.abs(found - expected).max() <= 5e-6


@cache
def whole(shift):
    found = deblurred(stirred(shift), picture(160, 150), 500)
    off = deblurred(stirred(shift), picture(160, 150), 500, scales=0)
    assert np.abs(found[0] - off[0]).max() > 0.02 and found[1].max() > 1.2
    return found


def test_of_share_0_a_pixel_is_to_the_bit_what_its_own_scale_makes_of_it():
    rng = np.random.default_rng(0)
    share = np.tile(np.clip(np.linspace(-1.5, 2, 16, dtype=np.float32), 0, 1), (20, 1))
    coarser = Coarser(rng.random((20, 16, 3), np.float32) - 0.5, share, np.full((20, 16), 0.6, np.float32))
    image, part = (rng.random((39, 32, 3), np.float32) for _ in range(2))
    mixed = coarser.mixed(image, slice(0, 39), slice(0, 32), part)
    large = enlarged(share, slice(0, 39), slice(0, 32))
    assert np.array_equal(mixed[large <= 0], part[large <= 0]) and (large <= 0).mean() > 0.4
    whole_of_it = coarser.mixed(image, slice(0, 39), slice(0, 32), None)
    assert np.allclose(mixed[large >= 1], whole_of_it[large >= 1], atol=1e-6)
    defocus = np.full((39, 32), 0.5, np.float32)
    joint = coarser.joint(defocus)
    assert (joint[large <= 0] == 0.5).all() and np.allclose(joint.max(), 1.2) and (defocus == 0.5).all()


def test_what_changes_is_limited_by_what_is_to_be_seen_around():
    small = np.full((60, 80, 3), 30000, np.uint16)
    small[:, 60:] = 50000
    change = np.full(small.shape, 0.2, np.float32)
    change[:, 40:] *= -1
    _limit(change, small)
    assert np.abs(change[:, :35]).max() < 0.01 and (change[:, 55:65] == np.float32(-0.2)).all()


def test_blur_that_fits_no_scale_stays_as_it_is():
    image = picture(160, 150)
    found, defocus = deblurred(stirred(1.0), image, 500, scales=1)
    assert defocus.min() > 1 and np.allclose(found, image, atol=1e-6)


def test_what_half_the_size_calls_sharp_stays_at_its_own_scale():
    calm = stirred(-0.6)  # no map reads anything
    image = picture(160, 150)
    for found, expected in zip(deblurred(calm, image, 500), deblurred(calm, image, 500, scales=0), strict=True):
        assert np.array_equal(found, expected)


@given(
    top=st.integers(0, 90),
    left=st.integers(0, 60),
    height=st.integers(1, 60),
    width=st.integers(1, 40),
    odd=st.booleans(),
)
def test_a_part_that_is_enlarged_is_that_part_of_the_whole(top, left, height, width, odd):
    rng = np.random.default_rng(odd)
    rows, columns = slice(top, min(top + height, 100 - odd)), slice(left, min(left + width, 70 - odd))
    for small in (rng.random((50, 35), np.float32), rng.random((50, 35, 3), np.float32)):
        expected = enlarged(small, slice(0, 100 - odd), slice(0, 70 - odd))[rows, columns]
        assert np.abs(enlarged(small, rows, columns) - expected).max() <= 1e-6


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_photo_is_halved_to_means_and_enlarged_to_where_it_was(kind):
    across, down = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 1101))
    values = np.stack([across, down, across * down], axis=2)
    image = values.astype(kind) if kind == np.float32 else np.rint(values * np.iinfo(kind).max).astype(kind)
    small = halved_photo(image)
    assert small.shape == (551, 21, 3) and small.dtype == np.uint16
    again = enlarged(small / np.float32(65535), slice(0, 1101), slice(0, 41))
    assert np.abs(again - values)[4:-4, 4:-4].max() < 1.5 / 255  # half a pixel aside would be 3.2
    assert np.allclose(halved(np.array([[1, 2, 6], [3, 2, 4]], np.float32)), [[2, 5]])


def test_progress_grows_over_all_scales_and_ends():
    told: list[tuple[int, int]] = []
    deblurred(stirred(), picture(160, 150), 60, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1] > 3 * 9


def test_as_many_scales_as_the_largest_blur_needs():
    assert [count_scales(check_max_blur(each, 6), 6) for each in (None, 0, 3, 6, 6.1, 12, 13, 24)] == [
        3, 0, 0, 0, 2, 2, 3, 3,
    ]  # fmt: skip
    assert check_max_blur(None, 6) == 24 and check_max_blur(None, 1) == 4 and check_max_blur(3, 6) == 6
    for wrong in (-1, 24.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"max_blur: found .*, expected px of sigma, 0 \(off\) to 24"):
            check_max_blur(wrong, 6)


@cache
def builtin(max_blur=None):
    return Engine.of_file(builtin_weights(), device="cpu", precision="fp32", max_blur=max_blur, everywhere=True)


def half_blurred(sharp, radius):
    """Its lower half through a disc."""
    radii = np.zeros(sharp.shape[:2], np.float32)
    radii[len(sharp) // 2 :] = radius
    light, _ = render_photo(srgb_to_linear(sharp / np.float32(255)), radii, Aperture("disc"))
    return to_8bit(linear_to_srgb(light))


def test_with_the_model_that_ships_a_disc_of_16_px_is_taken_off_and_what_is_in_focus_stays_to_the_bit():
    sharp = np.ascontiguousarray(data.astronaut()[:, 60:316])  # 512×256
    photo = half_blurred(sharp, 16)
    on, off = builtin()(photo), builtin(0)(photo)
    untouched = on.defocus * 4 == off.defocus  # whose unit is a quarter
    assert np.array_equal(on.image[untouched], off.image[untouched])
    assert untouched[:224].mean() > 0.8  # a little of the background is out of focus
    assert untouched[288:].mean() < 0.01

    def error(image):
        return float(np.mean((image[288:].astype(float) - sharp[288:]) ** 2))

    assert error(on.image) < 0.6 * error(photo) and error(off.image) > 0.9 * error(photo)
    assert 6 < np.median(on.defocus[320:]) * 24 < 10 and np.median(off.defocus[320:]) * 6 < 5


def test_grain_hides_no_large_blur():
    """At full size it reads as detail in focus, as it lies over what is blurred."""
    photo = half_blurred(np.ascontiguousarray(data.chelsea()[:300, 40:296]), 24)
    grain = np.random.default_rng(0).normal(0, 6, photo.shape)
    defocus = builtin()(np.uint8(np.clip(np.rint(photo + grain), 0, 255))).defocus * 24  # px
    assert np.median(defocus[:100]) < 0.5 and 9 < np.median(defocus[200:]) < 15


def test_twelve_megapixels_need_no_gibibyte():
    blank = np.broadcast_to(np.uint8(0), (3000, 4000, 3))
    computing = runtime(load_weights(builtin_weights()), "fp32")
    assert choose_tile(computing, blank, 1.0, BYTES) >= 256
