"""The columns that a table of recipes may do without: each alone, in whole scenes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.datasets import Recipe
from sftdec.datasets.checks import CheckLimits, check_scene
from sftdec.datasets.dead_leaves import LEAVES, _noise_texture, draw_model
from sftdec.datasets.sample import read
from sftdec.optics import SUBSAMPLINGS, through_jpeg

SIGMA_MAX = 6.0
LEAVES_SCENE = Recipe(
    name="leaf",
    split="train",
    content="leaves",
    photos=("brick", "grass"),
    scale=1.0,
    height=64,
    width=72,
    top=0.0,
    left=0.0,
    depth="layers",
    near_m=1.0,
    far_m=8.0,
    focus=0.5,
    focal_length_mm=50.0,
    pixel_pitch_um=60.0,
    max_coc_px=4.0,
    psf="disc",
    blades=6,
    softness_px=0.0,
    shot_noise=0.0,
    read_noise=0.0,
    seed=7,
    number=0,
)
PHOTO_SCENE = replace(LEAVES_SCENE, content="photo", photos=("coffee",), depth="plane", height=96, width=96, top=-1.0)
bases = st.sampled_from([LEAVES_SCENE, PHOTO_SCENE])
seeds = st.integers(0, 200)
few = settings(deadline=None, max_examples=8)


def levels(scene):
    return scene.blurred.astype(int), scene.sharp.astype(int)


@given(
    base=bases,
    seed=seeds,
    exposure=st.floats(0.3, 0.9),
    tone=st.floats(0, 1),
    sharpen=st.floats(0, 1.6),
    jpeg=st.sampled_from([0, 60, 92]),
    subsampling=st.sampled_from(SUBSAMPLINGS),
)
@few
def test_in_focus_with_grain_the_answer_is_the_photo_before_its_jpeg(
    base, seed, exposure, tone, sharpen, jpeg, subsampling
):
    camera = {"exposure": exposure, "tone": tone, "sharpen": sharpen, "denoise": 2.0, "shot_noise": 1e-3}
    jpeg_columns = {"jpeg": jpeg, "subsampling": subsampling}
    found = read(replace(base, seed=seed, max_coc_px=0.0, answer="grain", **camera, **jpeg_columns), SIGMA_MAX)
    assert not found.defocus.any() and check_scene(found, CheckLimits()) == []
    assert np.array_equal(found.blurred, through_jpeg(found.sharp, jpeg, subsampling))


@given(base=bases, seed=seeds, read_noise=st.floats(0.005, 0.012))
@few
def test_grain_is_kept_in_the_answer_or_is_in_the_photo_alone(base, seed, read_noise):
    still = replace(base, seed=seed, max_coc_px=0.0)
    quiet, clean, grain = (
        read(replace(still, **each), SIGMA_MAX)
        for each in ({}, {"read_noise": read_noise}, {"read_noise": read_noise, "answer": "grain"})
    )
    assert np.array_equal(clean.sharp, quiet.sharp) and np.array_equal(clean.blurred, grain.blurred)
    assert np.array_equal(grain.sharp, grain.blurred) and not np.array_equal(grain.sharp, quiet.sharp)


@given(base=bases, seed=seeds, exposure=st.floats(0.3, 0.95))
@few
def test_exposure_darkens_both_alike(base, seed, exposure):
    dark, plain = (read(replace(base, seed=seed, gamma=1.0, exposure=each), SIGMA_MAX) for each in (exposure, 1.0))
    for found, before in zip(levels(dark), levels(plain), strict=True):
        assert np.abs(found - before * exposure).max() <= 1


@given(base=bases, seed=seeds, tone=st.floats(0.2, 1))
@few
def test_the_tone_curve_lies_over_both_alike(base, seed, tone):
    curved, plain = (read(replace(base, seed=seed, tone=each), SIGMA_MAX) for each in (tone, 0.0))
    for found, before in zip(levels(curved), levels(plain), strict=True):
        assert (found[before < 120] <= before[before < 120]).all() and (
            found[before > 135] >= before[before > 135]
        ).all()


@given(base=bases, seed=seeds, amount=st.floats(0.3, 3), sigma=st.floats(0.5, 2))
@few
def test_sharpening_is_on_both_sides(base, seed, amount, sigma):
    crisp, plain = (read(replace(base, seed=seed, sharpen=each, sharpen_px=sigma), SIGMA_MAX) for each in (amount, 0.0))
    for found, before in zip(levels(crisp), levels(plain), strict=True):
        assert np.abs(np.diff(found, axis=1)).mean() > np.abs(np.diff(before, axis=1)).mean()


@given(base=bases, seed=seeds, quality=st.integers(1, 100), subsampling=st.sampled_from(SUBSAMPLINGS))
@few
def test_jpeg_is_what_the_photo_alone_went_through(base, seed, quality, subsampling):
    packed, plain = (
        read(replace(base, seed=seed, jpeg=each, subsampling=subsampling), SIGMA_MAX) for each in (quality, 0)
    )
    assert np.array_equal(packed.blurred, through_jpeg(plain.blurred, quality, subsampling))
    assert np.array_equal(packed.sharp, plain.sharp)


@given(base=bases, seed=seeds, levels_of_grain=st.floats(1, 16))
@few
def test_denoising_weakens_a_photos_grain_and_leaves_a_clean_answer_alone(base, seed, levels_of_grain):
    noisy = replace(base, seed=seed, read_noise=0.01, gamma=1.0)
    cored, plain = (read(replace(noisy, denoise=each), SIGMA_MAX) for each in (levels_of_grain, 0.0))
    assert np.array_equal(cored.sharp, plain.sharp)
    fine = [np.abs(np.diff(each.blurred.astype(int), axis=1)).mean() for each in (cored, plain)]
    assert fine[0] < fine[1]


@given(base=bases, seed=seeds, boost=st.floats(1.5, 6))
@few
def test_highlights_beyond_white_spread_more_light_and_the_answer_stays(base, seed, boost):
    bright, plain = (read(replace(base, seed=seed, highlight=each), SIGMA_MAX) for each in (boost, 1.0))
    assert (levels(bright)[0] >= levels(plain)[0] - 1).all()
    dim = plain.sharp.max(axis=2) < 0.9 * 255
    assert (np.abs(levels(bright)[1] - levels(plain)[1])[dim] <= 1).all() or base.content == "leaves"


def test_a_white_lamp_makes_a_white_disc_only_where_it_is_brighter_than_white():
    lamp = replace(PHOTO_SCENE, photos=("hubble",), max_coc_px=3.0, height=0, width=0, scale=0.5, top=0.0)
    bright, plain = (read(replace(lamp, highlight=each), SIGMA_MAX) for each in (16.0, 1.0))
    white = [np.mean(each.blurred.min(axis=2) >= 254) for each in (bright, plain)]
    assert white[0] > 2 * white[1]


@given(column=st.sampled_from(["rim", "corner", "fringe_px"]), value=st.floats(0.6, 1.2), seed=seeds)
@few
def test_an_apertures_edges_change_the_blur_and_neither_map_nor_answer(column, value, seed):
    """A plane has one circle of confusion; where the blur has no edges or is none there is nothing to change."""
    base = replace(PHOTO_SCENE, seed=seed, max_coc_px=8.0)
    shaped, plain = (read(replace(base, **{column: each}), SIGMA_MAX) for each in (value, 0.0))
    assert np.array_equal(shaped.sharp, plain.sharp) and np.array_equal(shaped.defocus, plain.defocus)
    assert not np.array_equal(shaped.blurred, plain.blurred)
    assert np.abs(levels(shaped)[0] - levels(plain)[0]).mean() < 12


@given(base=bases, seed=seeds, radius=st.floats(12.5, 26))
@few
def test_blur_beyond_the_maps_end_is_cut_off_where_that_is_meant(base, seed, radius):
    far = replace(base, seed=seed, max_coc_px=radius, height=96, width=96)
    found, whole = read(replace(far, cut_map=1), SIGMA_MAX), read(far, 13.0)
    assert np.array_equal(found.blurred, whole.blurred)
    assert found.defocus.max() == 1 and found.defocus == pytest.approx(
        np.minimum(whole.defocus * 13.0 / SIGMA_MAX, 1), abs=1e-5
    )
    assert "map" not in {each.check for each in check_scene(found, CheckLimits())}


def slope_of(texture):
    """a of the spectrum 1/f^a of a texture's amplitudes, by its middle frequencies."""
    grey = texture.mean(axis=2) * np.outer(np.hanning(texture.shape[0]), np.hanning(texture.shape[1]))
    amplitudes = np.abs(np.fft.rfft2(grey - grey.mean()))
    frequencies = np.hypot(np.fft.fftfreq(texture.shape[0])[:, None], np.fft.rfftfreq(texture.shape[1])[None])
    chosen = (frequencies > 0.05) & (frequencies < 0.4)
    return -np.polyfit(np.log(frequencies[chosen]), np.log(amplitudes[chosen] + 1e-9), 1)[0]


@given(seed=seeds, kind=st.sampled_from(sorted(LEAVES)))
@few
def test_noise_falls_with_one_of_the_models_slopes(seed, kind):
    model = replace(LEAVES[kind], perspective=0.0)
    low, high = model.slopes
    slopes = [slope_of(_noise_texture(96, 96, model, np.random.default_rng((seed, n)))) for n in range(4)]
    assert all(low - 0.3 <= found <= high + 0.3 for found in slopes), slopes


def test_vibrant_leaves_have_more_noise_wider_slopes_smaller_leaves_and_perspective():
    crowded, vibrant = (draw_model(np.random.default_rng(3), kind) for kind in ("crowded", "vibrant"))
    assert (vibrant.exponent, vibrant.noise, vibrant.slopes) == (3.0, 2 / 3, (0.5, 2.5))
    assert (crowded.exponent, crowded.noise, crowded.slopes, crowded.perspective) == (2.2, 0.12, (0.8, 1.8), 0.0)
    assert vibrant.perspective > 0 and vibrant.coverage == crowded.coverage


@given(seed=seeds)
@few
def test_vibrant_leaves_are_another_scene_of_the_same_make(seed):
    found, today = (read(replace(LEAVES_SCENE, seed=seed, leaves=kind), SIGMA_MAX) for kind in ("vibrant", "crowded"))
    assert not np.array_equal(found.sharp, today.sharp)
    assert found.sharp.std() > 5 and len(np.unique(found.defocus)) > 2


@given(scale=st.floats(0.4, 1))
@few
def test_a_photo_is_shrunk_in_light(scale):
    """The mean of its light stays, which that of its values doesn't."""
    whole = replace(PHOTO_SCENE, photos=("hubble",), height=0, width=0, top=0.0, max_coc_px=0.0, gamma=2.0)
    small, plain = (read(replace(whole, scale=each), SIGMA_MAX).sharp / 255 for each in (scale, 1.0))
    assert np.mean(small**2) == pytest.approx(np.mean(plain**2), rel=0.03)
