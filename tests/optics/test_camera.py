"""A camera's faults, each held by what it must leave alone and what it must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.optics import (
    Camera,
    brighten_highlights,
    denoise,
    from_light,
    photograph,
    sharpen,
    srgb_to_linear,
    through_jpeg,
    to_8bit,
    tone_curve,
)

subsamplings = st.sampled_from(["4:4:4", "4:2:2", "4:2:0"])
cameras = st.builds(
    Camera,
    gamma=st.sampled_from([0.0, 1.0, 1.8]),
    exposure=st.floats(0.25, 4),
    shot_noise=st.floats(0, 0.002),
    read_noise=st.floats(0, 0.02),
    tone=st.floats(0, 1),
    denoise=st.floats(0, 16),
    sharpen=st.floats(0, 3),
    sharpen_px=st.floats(0.3, 3),
    jpeg=st.just(0),
    subsampling=subsamplings,
)


def smooth(seed=0, height=40, width=48):
    """A picture with structure of every size, H×W×3 in 0..1."""
    generator = np.random.default_rng(seed)
    fall = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) + 0.02
    layers = [np.fft.irfft2(np.fft.rfft2(generator.standard_normal((height, width))) / fall) for _ in range(3)]
    picture = np.stack(layers, axis=2)
    return ((picture - picture.min()) / np.ptp(picture)).astype(np.float32)


def deviation(values):
    return float(np.std(values))


def noise_of(seed):
    return np.random.default_rng(seed)


@given(camera=cameras, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_in_focus_the_answer_with_grain_is_the_photo_itself(camera, seed):
    light = srgb_to_linear(smooth(seed))
    photo, answer = photograph(light, light, camera, True, noise_of(seed))
    assert np.array_equal(photo, answer)


@given(camera=cameras, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_the_clean_answer_has_no_noise(camera, seed):
    light = srgb_to_linear(smooth(seed))
    answers = [photograph(light, light, camera, False, noise_of(number))[1] for number in (1, 2)]
    assert np.array_equal(*answers)


@given(camera=cameras, quality=st.integers(1, 100))
@settings(deadline=None, max_examples=20)
def test_jpeg_is_in_the_photo_alone(camera, quality):
    light = srgb_to_linear(smooth(1))
    with_jpeg = Camera(**{**vars(camera), "jpeg": quality})
    (plain, answer), (photo, same) = (photograph(light, light, each, True, noise_of(0)) for each in (camera, with_jpeg))
    assert np.array_equal(answer, same)
    assert np.array_equal(photo, through_jpeg(plain, quality, camera.subsampling))


def test_a_camera_as_it_stands_is_the_tone_curve_alone():
    light = srgb_to_linear(smooth())
    photo, answer = photograph(light, light, Camera(), False, noise_of(0))
    assert np.array_equal(photo, to_8bit(from_light(light))) and np.array_equal(photo, answer)


@given(exposure=st.floats(0.25, 4))
@settings(deadline=None, max_examples=20)
def test_exposure_multiplies_light_in_both(exposure):
    light = srgb_to_linear(smooth(2))
    photo, answer = photograph(light, light, Camera(exposure=exposure), False, noise_of(0))
    expected = to_8bit(from_light(np.clip(light * exposure, 0, 1)))
    assert np.abs(photo.astype(int) - expected).max() <= 1 and np.array_equal(photo, answer)


@given(boost=st.floats(1, 16), seed=st.integers(0, 20))
@settings(deadline=None, max_examples=20)
def test_highlights_gain_up_to_the_boost_and_the_rest_nothing(boost, seed):
    values = smooth(seed)
    values[3, 4], values[5, 6] = 1.0, (1.0, 0.5, 0.2)
    light = srgb_to_linear(values)
    bright = brighten_highlights(light, values, boost)
    below = values.max(axis=2) <= 0.93
    assert np.array_equal(bright[below], light[below]) and (bright >= light).all()
    assert bright[3, 4] == pytest.approx(boost * np.ones(3), rel=1e-5)
    assert bright[5, 6] == pytest.approx(boost * light[5, 6], rel=1e-5)  # its colour stays


def test_a_highlight_of_less_than_its_own_light_is_refused():
    with pytest.raises(ValueError, match=r"boost must be 1 or more, found 0\.5"):
        brighten_highlights(smooth(), smooth(), 0.5)


@given(strength=st.floats(0, 1))
@settings(deadline=None, max_examples=20)
def test_every_tone_curve_rises_and_keeps_black_grey_and_white(strength):
    curve = tone_curve(np.linspace(0, 1, 1001, dtype=np.float32), strength)
    assert (np.diff(curve) > -1e-6).all()
    assert curve[[0, 500, 1000]] == pytest.approx([0, 0.5, 1], abs=1e-6)
    assert curve[300] <= 0.3 + 1e-6 and curve[700] >= 0.7 - 1e-6


@given(levels=st.floats(0.5, 16), seed=st.integers(0, 50))
@settings(deadline=None, max_examples=20)
def test_denoising_weakens_grain_and_leaves_coarse_detail_and_high_edges(levels, seed):
    generator = np.random.default_rng(seed)
    grain = (0.5 + generator.normal(0, levels / 255, (64, 64, 3))).astype(np.float32)
    assert deviation(denoise(grain, levels)) < 0.75 * deviation(grain)
    step = np.full((32, 64, 3), 0.2, np.float32)
    step[:, 32:] = 0.8
    assert np.abs(denoise(step, levels) - step).max() <= levels / 255 + 1e-6


@given(amount=st.floats(0.1, 3), sigma=st.floats(0.5, 3))
@settings(deadline=None, max_examples=20)
def test_sharpening_adds_detail_and_keeps_the_mean(amount, sigma):
    picture = smooth(5)
    found = sharpen(picture, amount, sigma)
    fine = lambda values: deviation(np.diff(values, axis=1))  # noqa: E731
    assert fine(found) > fine(picture)
    assert found.mean() == pytest.approx(picture.mean(), abs=0.01)


@given(low=st.integers(5, 60), more=st.integers(25, 40), subsampling=subsamplings)
@settings(deadline=None, max_examples=20)
def test_a_better_jpeg_is_nearer_to_the_picture(low, more, subsampling):
    picture = to_8bit(smooth(7))
    worse, better = (
        deviation(through_jpeg(picture, quality, subsampling).astype(float) - picture) for quality in (low, low + more)
    )
    assert better < worse


def test_a_jpeg_of_fewer_colours_loses_more_of_them():
    picture = to_8bit(np.random.default_rng(0).random((64, 64, 3)))
    lost = [deviation(through_jpeg(picture, 98, each).astype(float) - picture) for each in ("4:4:4", "4:2:2", "4:2:0")]
    assert lost == sorted(lost) and lost[0] < 0.5 * lost[1]


@given(shot=st.floats(1e-4, 2e-3))
@settings(deadline=None, max_examples=10)
def test_noise_grows_with_the_light(shot):
    dark, bright = (np.full((64, 64, 3), level, np.float32) for level in (0.05, 0.5))
    grains = []
    for light in (dark, bright):
        photo, answer = photograph(light, light, Camera(gamma=1.0, shot_noise=shot), False, noise_of(3))
        grains.append(deviation(photo.astype(float) - answer))
    assert grains[1] > 2 * grains[0]
