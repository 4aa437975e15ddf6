"""Defocus maps estimated from pairs of photos."""

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.pair_defocus import blur_with_map
from sftdec.datasets.pair_defocus import estimate_defocus
from sftdec.datasets.pair_filter import aggregate_costs, fill_by_confidence
from sftdec.datasets.registration import register
from sftdec.optics import Aperture, linear_to_srgb, render_photo, srgb_to_linear, to_8bit
from sftdec.optics.psf import PsfShape
from sftdec.runtime.errors import DataError

Photo = NDArray[np.uint8]


def textured_photo(size: tuple[int, int] = (96, 112), seed: int = 0) -> Photo:
    """Blobs of several sizes in three colours, well within the range of grey levels."""
    generator = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(generator.standard_normal((*size, 3)), (s, s, 0), mode="wrap") * s for s in (0.7, 2, 5)
    ]
    mixed = np.sum(layers, axis=0)
    return to_8bit(0.5 + 0.14 * mixed / mixed.std())


def light_of(photo: Photo) -> NDArray[np.float32]:
    return srgb_to_linear(photo / np.float32(255))


def photo_of(light: NDArray[np.floating]) -> Photo:
    return to_8bit(linear_to_srgb(light))


def blurred_by(photo: Photo, sigma: float) -> Photo:
    return photo_of(ndimage.gaussian_filter(light_of(photo), (sigma, sigma, 0), mode="reflect"))


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.7, 2.5, 4.0, 5.0])
def test_a_uniform_gaussian_blur_is_found(sigma: float) -> None:
    sharp = textured_photo()
    found = estimate_defocus(blurred_by(sharp, sigma), sharp, 6.0)
    # A pixel's own width (1/12 px²) separates a sampled Gaussian from one integrated over pixels.
    expected = np.sqrt(sigma**2 - 1 / 12)
    assert abs(np.median(found.sigma) - expected) < 0.05
    assert np.abs(found.sigma - expected).mean() < 0.1


@pytest.mark.parametrize("shape", ["disc", "gaussian", "polygon"])
@pytest.mark.parametrize("radius", [2.0, 4.5, 8.0])
def test_a_lens_focused_elsewhere_is_found_whatever_its_aperture(shape: PsfShape, radius: float) -> None:
    sharp = textured_photo()
    blurred, rendered = render_photo(light_of(sharp), np.full(sharp.shape[:2], radius, np.float32), Aperture(shape))
    found = estimate_defocus(photo_of(blurred), sharp, 6.0)
    assert abs(np.median(found.sigma) - rendered[0, 0] / 2) < (0.15 if shape == "polygon" else 0.05)


def test_a_slope_is_followed_within_a_fifth_of_a_pixel() -> None:
    sharp = textured_photo((128, 160))
    truth = np.broadcast_to(np.linspace(0, 5, 160, dtype=np.float32), (128, 160))
    found = estimate_defocus(photo_of(blur_with_map(light_of(sharp), truth)), sharp, 6.0)
    assert np.abs(found.sigma - truth).mean() < 0.2


def test_a_sharp_thing_before_a_blurred_ground_keeps_its_outline() -> None:
    sharp = textured_photo((128, 128))
    sharp[40:88, 40:88] = textured_photo((48, 48), seed=3) // 2
    radius = np.full((128, 128), 6, np.float32)
    radius[40:88, 40:88] = 0
    blurred, _ = render_photo(light_of(sharp), radius)
    found = estimate_defocus(photo_of(blurred), sharp, 6.0).sigma
    assert np.median(found[46:82, 46:82]) < 0.3
    assert abs(np.median(found[:26]) - 3) < 0.2
    assert np.abs(found - radius / 2).mean() < 0.4


@pytest.mark.parametrize("sigma_max", [0.5, 6.0, 12.0])
def test_equal_photos_are_in_focus(sigma_max: float) -> None:
    sharp = textured_photo()
    assert estimate_defocus(sharp, sharp, sigma_max).sigma.max() < 0.05


def test_a_photo_without_texture_tells_nothing() -> None:
    flat = np.full((40, 50, 3), 120, np.uint8)
    found = estimate_defocus(flat, flat, 6.0)
    assert found.confidence.max() < 1e-3
    assert np.isfinite(found.sigma).all()


def test_a_flat_patch_takes_the_defocus_of_what_surrounds_it() -> None:
    sharp = textured_photo()
    sharp[36:60, 44:68] = sharp[36:60, 44:68].mean(axis=(0, 1)).astype(np.uint8)
    found = estimate_defocus(blurred_by(sharp, 2.0), sharp, 6.0)
    assert found.confidence[44:52, 52:60].mean() < found.confidence[:20].mean() / 2
    assert np.abs(found.sigma[44:52, 52:60] - 2).max() < 0.5


@pytest.mark.parametrize("gain", [0.8, 0.95, 1.05, 1.2])
def test_a_difference_of_exposure_is_no_blur(gain: float) -> None:
    sharp = textured_photo()
    blurred = ndimage.gaussian_filter(light_of(sharp), (2, 2, 0)) * gain
    found = estimate_defocus(photo_of(blurred), sharp, 6.0)
    assert np.abs(found.sigma - 2).mean() < 0.05
    assert found.confidence.mean() > 0.4


def test_noise_is_not_taken_for_structure() -> None:
    sharp = textured_photo()
    noise = np.random.default_rng(1).normal(0, 2, sharp.shape)
    blurred = np.clip(np.rint(blurred_by(sharp, 2.0) + noise), 0, 255).astype(np.uint8)
    found = estimate_defocus(blurred, sharp, 6.0).sigma
    assert np.abs(found - 2).mean() < 0.1
    assert np.abs(np.diff(found, axis=0)).mean() < 0.05


def test_the_same_pair_gives_the_same_bytes() -> None:
    sharp = textured_photo()
    pair = blurred_by(sharp, 1.5), sharp
    first, second = estimate_defocus(*pair, 6.0), estimate_defocus(*pair, 6.0)
    assert first.sigma.tobytes() == second.sigma.tobytes()
    assert first.confidence.tobytes() == second.confidence.tobytes()


def test_the_photos_given_are_left_as_they_were() -> None:
    sharp = textured_photo()
    blurred = blurred_by(sharp, 1.5)
    before = sharp.copy(), blurred.copy()
    estimate_defocus(blurred, sharp, 3.0)
    assert np.array_equal(sharp, before[0]) and np.array_equal(blurred, before[1])


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    sigma_max=st.floats(0.5, 15),
    seed=st.integers(0, 99),
    contrast=st.sampled_from([0, 20, 255]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_pair_of_photos_gives_a_map_within_its_bounds(
    height: int, width: int, sigma_max: float, seed: int, contrast: int
) -> None:
    generator = np.random.default_rng(seed)
    blurred, sharp = (generator.integers(0, contrast + 1, (height, width, 3), np.uint8) for _ in range(2))
    found = estimate_defocus(blurred, sharp, sigma_max)
    assert found.sigma.shape == found.confidence.shape == (height, width)
    assert found.sigma.dtype == found.confidence.dtype == np.float32
    assert found.sigma.min() >= 0 and found.sigma.max() <= np.float32(sigma_max)
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1


@pytest.mark.parametrize("sigma_max", [0, -1, 0.4, float("nan"), float("inf")])
def test_a_sigma_max_that_is_no_length_is_refused(sigma_max: float) -> None:
    with pytest.raises(DataError, match="sigma_max"):
        estimate_defocus(textured_photo(), textured_photo(), sigma_max)


def test_a_map_of_one_sigma_blurs_as_a_gaussian_does() -> None:
    light = light_of(textured_photo())
    blurred = blur_with_map(light, np.full(light.shape[:2], 3.0, np.float32))
    expected = ndimage.gaussian_filter(light, (np.sqrt(9 + 1 / 12),) * 2 + (0,), mode="reflect")
    assert np.abs(blurred - expected).max() < 2e-3


def test_a_map_of_zero_leaves_the_photo() -> None:
    light = light_of(textured_photo())
    assert np.array_equal(blur_with_map(light, np.zeros(light.shape[:2], np.float32)), light)


def test_costs_are_carried_along_a_surface_and_not_across_its_edge() -> None:
    costs = np.zeros((9, 20, 9), np.float32)
    costs[:, 0, :] = 5 * np.abs(np.arange(9) - 1)
    costs[:, -1, :] = 5 * np.abs(np.arange(9) - 7)
    guide = np.zeros((9, 20), np.float32)
    guide[:, 12:] = 200
    best = aggregate_costs(costs.transpose(2, 0, 1), guide, step=0.5, jump=6, contrast=8).argmin(axis=0)
    assert np.all(best[:, :12] == 1) and np.all(best[:, 12:] == 7)


def test_the_fill_keeps_what_is_sure_and_stops_at_edges() -> None:
    values = np.zeros((12, 30), np.float32)
    values[:, 20:] = 5
    confidence = np.full((12, 30), 1e-4, np.float32)
    confidence[:, [0, -1]] = 1
    guide = np.zeros((12, 30), np.float32)
    guide[:, 15:] = 100
    filled = fill_by_confidence(values, confidence, guide, strength=100, contrast=4)
    assert np.abs(filled[:, :15]).max() < 0.1
    assert np.abs(filled[:, 15:] - 5).max() < 0.1


def off(photo: Photo, shift: tuple[float, float] = (0, 0), scale: float = 1, turn: float = 0) -> Photo:
    """A photo moved (px right, px down), scaled and turned (rad) about its middle."""
    height, width = photo.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    grown = np.array([[scale, -turn], [turn, scale]])
    matrix = np.column_stack([grown, middle + shift - grown @ middle])
    return np.asarray(
        cv2.warpAffine(photo, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    )


@pytest.fixture(scope="module")
def slope() -> tuple[Photo, Photo, NDArray[np.float32]]:
    """A pair whose blur rises from left to right, and its sigma."""
    sharp = textured_photo((160, 192))
    truth = np.ascontiguousarray(np.broadcast_to(np.linspace(0.5, 4, 192, dtype=np.float32), (160, 192)))
    return photo_of(blur_with_map(light_of(sharp), truth)), sharp, truth


@pytest.mark.parametrize(
    ("shift", "scale", "turn"), [((1, 0), 1, 0), ((-0.4, 0.7), 1, 0), ((0, 0), 1.005, 0), ((0.2, 0), 0.997, 0.004)]
)
def test_a_sharp_photo_that_lies_elsewhere_is_registered_first(slope, shift, scale, turn) -> None:
    blurred, sharp, truth = slope
    plain = np.abs(estimate_defocus(blurred, sharp, 6.0).sigma - truth)[8:-8, 8:-8].mean()
    elsewhere = off(sharp, shift, scale, turn)
    found = register(blurred, elsewhere, 6.0)
    assert np.hypot(found.shift[0] - shift[0], found.shift[1] - shift[1]) < 0.1
    assert abs(found.scale - (scale - 1)) < 5e-4 and abs(found.turn - turn) < 5e-4
    error = np.abs(estimate_defocus(blurred, elsewhere, 6.0).sigma - truth)[8:-8, 8:-8].mean()
    assert error < plain + 0.06


def test_white_balance_is_no_blur(slope) -> None:
    blurred, sharp, truth = slope
    other = photo_of(np.clip(light_of(sharp) * np.float32([1.08, 1, 0.9]), 0, 1))
    assert register(blurred, other, 6.0).gains == pytest.approx([1 / 1.08, 1, 1 / 0.9], abs=0.01)
    errors = [np.abs(estimate_defocus(blurred, each, 6.0).sigma - truth).mean() for each in (sharp, other)]
    assert errors[1] < errors[0] + 0.04


def test_a_pair_that_lies_as_it_should_is_left_to_the_byte(slope) -> None:
    blurred, sharp, _ = slope
    found = register(blurred, sharp, 6.0)
    assert found.moved(sharp) is sharp and np.array_equal(found.gains, np.ones(3))


def test_photos_of_different_things_are_not_moved() -> None:
    found = register(textured_photo((120, 140), 1), textured_photo((120, 140), 2), 6.0)
    assert found.corner((120, 140)) < 3


def test_a_photo_in_tiles_is_nearly_as_the_whole_and_the_same_each_time(slope, monkeypatch) -> None:
    blurred, sharp, truth = slope
    whole = estimate_defocus(blurred, sharp, 6.0).sigma
    monkeypatch.setattr("sftdec.datasets.pair_defocus._VALUES", 96 * 96 * 24)
    monkeypatch.setattr("sftdec.datasets.pair_defocus._OVERLAP", 32)
    first, second = (estimate_defocus(blurred, sharp, 6.0) for _ in range(2))
    assert first.sigma.tobytes() == second.sigma.tobytes()
    assert np.abs(first.sigma - whole).mean() < 0.03
    assert np.abs(first.sigma - truth).mean() < np.abs(whole - truth).mean() + 0.02
