import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import structural_similarity

from sftdec.evaluation.metrics import (
    best_constant_mae,
    best_constant_mse,
    count_levels,
    map_errors,
    psnr,
    ssim,
    to_uint8,
)

pictures = arrays(np.uint8, (12, 13, 3))


def noise(shape=(24, 30, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(level):
    """Almost flat, near black or white, where little is left of a variance that is a difference of squares."""
    image = np.full((40, 50, 3), level, np.uint8)
    reference = image.copy()
    reference[::7] ^= 1
    return image, reference


@pytest.mark.parametrize(
    "pair",
    [*((noise(shape, 1), noise(shape, 2)) for shape in [(24, 30, 3), (24, 30), (11, 11, 3)]), smooth(0), smooth(254)],
)
def test_ssim_is_scikit_images_with_an_eleven_pixel_gaussian_window(pair):
    image, reference = pair
    expected = structural_similarity(
        image,
        reference,
        win_size=11,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1 if image.ndim == 3 else None,
    )
    assert ssim(image, reference) == pytest.approx(expected, abs=1e-6)


def test_psnr_of_an_error_of_one_level_is_known():
    black = np.zeros((16, 16, 3), np.uint8)
    assert psnr(black + np.uint8(1), black) == pytest.approx(20 * math.log10(255))


def test_psnr_takes_all_channels_in_one_mean():
    black = np.zeros((16, 16, 3), np.uint8)
    red = black.copy()
    red[..., 0] = 30
    assert psnr(red, black) == pytest.approx(10 * math.log10(255**2 / (30**2 / 3)))


@settings(max_examples=30, deadline=None)
@given(pictures)
def test_equal_pictures_have_infinite_psnr_and_an_ssim_of_one(picture):
    assert psnr(picture, picture.copy()) == math.inf
    assert ssim(picture, picture.copy()) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(pictures, pictures)
def test_psnr_and_ssim_are_symmetric(first, second):
    assert psnr(first, second) == psnr(second, first)
    assert ssim(first, second) == pytest.approx(ssim(second, first))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(2, 20), st.floats(1.5, 3))
def test_more_noise_means_a_lower_psnr_and_ssim(seed, level, factor):
    generator = np.random.default_rng(seed)
    reference = generator.integers(100, 156, (32, 32, 3)).astype(np.uint8)
    error = generator.normal(size=reference.shape)
    noisy, noisier = (to_uint8((reference + amount * error) / 255) for amount in (level, level * factor))
    assert psnr(noisier, reference) < psnr(noisy, reference)
    assert ssim(noisier, reference) < ssim(noisy, reference)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_unequal_shapes_are_refused_with_both_shapes_named(measure):
    with pytest.raises(ValueError, match=r"\(24, 30, 3\) and \(24, 29, 3\)"):
        measure(noise(), noise((24, 29, 3)))


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_other_types_than_uint8_are_refused(measure):
    with pytest.raises(TypeError, match="float32"):
        measure(noise().astype(np.float32), noise())


@pytest.mark.parametrize("shape", [(24, 30, 4), (2, 24, 30, 3), (0, 30, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="H×W×3"):
        psnr(noise(shape), noise(shape))


def test_ssim_refuses_a_picture_smaller_than_its_window_where_psnr_does_not():
    image, reference = noise((10, 40, 3), 1), noise((10, 40, 3), 2)
    assert math.isfinite(psnr(image, reference))
    with pytest.raises(ValueError, match="40×10"):
        ssim(image, reference)


def test_rounding_is_half_to_even_after_clipping():
    values = np.array([-0.2, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.7], np.float64)
    assert to_uint8(values).tolist() == [0, 0, 2, 2, 255]


@settings(deadline=None)
@given(pictures)
def test_a_uint8_picture_survives_the_way_through_floats(picture):
    assert np.array_equal(to_uint8((picture / 255).astype(np.float32)), picture)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_picture_with_a_broken_value_is_refused(value):
    image = np.zeros((4, 4, 3), np.float32)
    image[1, 2, 0] = value
    with pytest.raises(ValueError, match="1 of 48"):
        to_uint8(image)


def test_an_integer_picture_is_not_taken_for_a_float_one():
    with pytest.raises(TypeError, match="uint8"):
        to_uint8(noise())


def test_map_errors_by_hand():
    estimate, truth = np.float32([[0.0, 0.5], [1.0, 0.25]]), np.float32([[0.5, 0.5], [0.0, 0.25]])
    assert map_errors(estimate, truth) == pytest.approx((1.5 / 4, 1.25 / 4))
    assert map_errors(truth, truth) == (0, 0)


def test_maps_of_unequal_shape_or_with_nan_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(4, 3\)"):
        map_errors(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="NaN"):
        map_errors(np.full((3, 3), np.nan), np.zeros((3, 3)))


def test_the_best_constant_is_the_median_of_all_pixels_not_of_all_pictures():
    large, small = np.full((10, 10), 0.2), np.full((2, 2), 0.8)
    constant, maes = best_constant_mae([large, small])
    assert constant == pytest.approx(0.2, abs=1e-5)
    assert maes == pytest.approx([0.0, 0.6], abs=2e-5)


def test_the_best_constant_for_the_squared_error_is_the_mean_of_all_pixels():
    constant, mses = best_constant_mse([np.full((10, 10), 0.2), np.full((2, 2), 0.8)])
    assert constant == pytest.approx((100 * 0.2 + 4 * 0.8) / 104, abs=1e-5)
    assert mses == pytest.approx([(0.2 - constant) ** 2, (0.8 - constant) ** 2], abs=2e-5)


@pytest.mark.parametrize(("best_constant", "error"), [(best_constant_mae, np.abs), (best_constant_mse, np.square)])
@settings(max_examples=50, deadline=None)
@given(levels=st.lists(arrays(np.uint16, (3, 4)), min_size=1, max_size=4), other=st.floats(0, 1))
def test_no_other_constant_does_better(best_constant, error, levels, other):
    truths = [map_ / 65535 for map_ in levels]
    constant, errors = best_constant(truths)
    assert np.mean(errors) <= np.mean([error(truth - other) for truth in truths]) + 1e-9
    assert errors == pytest.approx([error(truth - constant).mean() for truth in truths])


def test_histograms_stand_for_their_maps():
    truths = [np.random.default_rng(seed).random((20, 30)) for seed in range(3)]
    for best_constant in (best_constant_mae, best_constant_mse):
        assert best_constant(truths) == best_constant([count_levels(truth) for truth in truths])


@pytest.mark.parametrize("best_constant", [best_constant_mae, best_constant_mse])
def test_maps_outside_their_range_empty_maps_and_no_maps_are_refused(best_constant):
    with pytest.raises(ValueError, match=r"0\.\.1"):
        best_constant([np.full((2, 2), 1.5)])
    with pytest.raises(ValueError, match="empty"):
        best_constant([np.zeros((0, 4))])
    with pytest.raises(ValueError, match="at least one"):
        best_constant([])
