"""The checks on a scene's pixels, on photos that are blurred, shifted, swapped and noised here."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from sftdec.datasets import Scene, sample
from sftdec.datasets.checks import CheckLimits, check_pair, check_scene, measure_pair
from sftdec.datasets.photos import recipe_photo
from sftdec.photos.images import read_photo

LIMITS = CheckLimits()
SIGMA_MAX = 6.0
LFDOF = Path(__file__).parents[3] / "shared" / "data" / "lfdof_scene"


def blur(photo, sigma):
    return np.rint(gaussian_filter(photo.astype(np.float64), (sigma, sigma, 0), mode="nearest")).astype(np.uint8)


def noisy(photo, deviation, gain=1.0):
    grain = np.random.default_rng(0).normal(0, deviation, photo.shape)
    return np.clip(gain * photo + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def sharp():
    return recipe_photo("china")[100:356, 200:456]


@pytest.fixture(scope="module")
def sigma():
    """Focus on the left, 3 px on the right."""
    return np.tile(np.linspace(0, 3, 256, dtype=np.float32), (256, 1))


@pytest.fixture(scope="module")
def blurred(sharp, sigma):
    steps = [blur(sharp, step) for step in np.linspace(0, 3, 7)]
    return np.choose(np.rint(2 * sigma).astype(int)[..., None], steps)


def scene(blurred, sharp, defocus):
    return Scene("set/a", "set", "train", "a", SIGMA_MAX, blurred, sharp, np.asarray(defocus, np.float32))


def checks(blurred, sharp, defocus, limits=LIMITS):
    return [refusal.check for refusal in check_scene(scene(blurred, sharp, defocus), limits)]


def test_a_scene_that_is_as_it_should_be_is_not_refused(blurred, sharp, sigma):
    assert checks(blurred, sharp, sigma / SIGMA_MAX) == []
    found = measure_pair(blurred, sharp)
    assert found.shift < 0.2 and found.likeness > 0.95 and found.sharpening > 1


def test_a_swapped_pair_is_refused(blurred, sharp, sigma):
    (refusal,) = check_scene(scene(sharp, blurred, sigma / SIGMA_MAX), LIMITS)
    assert (refusal.dataset, refusal.scene, refusal.check) == ("set", "set/a", "sharper")
    assert "swapped" in refusal.reason


@pytest.mark.parametrize("strength", [0.5, 1, 2, 4, 6])
def test_a_swapped_pair_is_refused_however_strong_its_blur(sharp, strength):
    softened = blur(sharp, strength)
    assert check_pair(softened, sharp, LIMITS, "set", "a") == []
    assert [refusal.check for refusal in check_pair(sharp, softened, LIMITS, "set", "a")] == ["sharper"]


def test_grain_in_the_blurred_photo_is_not_taken_for_sharpness(blurred, sharp):
    grainy = noisy(blurred, 30)
    assert np.diff(grainy.astype(int), axis=0).std() > np.diff(sharp.astype(int), axis=0).std()  # which misleads
    assert check_pair(grainy, sharp, LIMITS, "set", "a") == []


def test_a_pair_in_focus_all_over_may_differ_in_grain_and_exposure(sharp):
    for photo in (noisy(sharp, 5), noisy(sharp, 5, 1.06), noisy(sharp, 0, 0.9)):
        assert checks(photo, sharp, np.zeros((256, 256))) == []


def test_a_larger_min_sharpening_refuses_what_is_hardly_blurred(sharp):
    (refusal,) = check_pair(blur(sharp, 0.5), sharp, CheckLimits(min_sharpening=6), "set", "a")
    assert refusal.check == "sharper" and "expected +6" in refusal.reason and "swapped" not in refusal.reason


def test_a_shift_is_refused_with_its_length(sharp):
    pair = blur(sharp, 2)[:-3, :-4], sharp[3:, 4:]
    (refusal,) = check_pair(*pair, LIMITS, "set", "a")
    assert (
        refusal.check == "aligned"
        and re.search(r"shifted by (4\.8|4\.9|5)", refusal.reason)
        and "at most 1" in refusal.reason
    )
    assert check_pair(*pair, CheckLimits(max_shift=6), "set", "a") == []


def test_windows_that_move_apart_are_parallax_and_no_shift(sharp):
    moved = np.hstack([np.roll(sharp, 3, axis=1)[:, :128], np.roll(sharp, -3, axis=1)[:, 128:]])
    found = measure_pair(moved, sharp)
    assert found.shift > 1.5 and found.spread > 1.5
    assert check_pair(moved, sharp, LIMITS, "set", "a") == []


@settings(max_examples=25, deadline=None)
@given(down=st.integers(-6, 6), right=st.integers(-6, 6), strength=st.sampled_from([0.0, 1.0, 2.0, 3.0]))
def test_the_shift_is_measured_through_any_blur(down, right, strength):
    photo = recipe_photo("china")
    softened = blur(photo[90:366, 190:466], strength)[10:266, 10:266]
    pair = softened, photo[100 + down : 356 + down, 200 + right : 456 + right]
    assert measure_pair(*pair).shift == pytest.approx(np.hypot(down, right), abs=0.5)


def test_photos_of_two_things_are_refused(sharp):
    other = blur(recipe_photo("coffee")[50:306, 100:356], 2)
    (refusal,) = check_pair(other, sharp, LIMITS, "set", "a")
    assert refusal.check == "aligned" and "don't show the same" in refusal.reason


@pytest.mark.parametrize("level", [0, 128])
def test_a_frame_that_is_black_or_flat_is_refused_with_its_side(sharp, level):
    flat = np.full_like(sharp, level)
    for photo in (flat, noisy(flat, 3)):
        for pair, side in (
            ((photo, sharp), "blurred"),
            ((blur(sharp, 2), photo), "sharp"),
            ((photo, flat), "sharp and"),
        ):
            (refusal,) = check_pair(*pair, LIMITS, "set", "a")
            assert refusal.check == "pair" and f"the {side}" in refusal.reason and "a frame dropped" in refusal.reason
    assert np.isnan(measure_pair(flat, flat).shift)


def test_a_frame_that_is_its_partner_is_refused_but_where_it_was_rendered_so(sharp):
    (refusal,) = check_pair(sharp, sharp.copy(), LIMITS, "set", "a")
    assert refusal.check == "pair" and "the blurred photo is the sharp one" in refusal.reason
    in_focus = scene(sharp, sharp, np.zeros(sharp.shape[:2], np.float32))
    assert [each.check for each in check_scene(in_focus, LIMITS)] == ["pair"]
    assert check_scene(replace(in_focus, map_known=True), LIMITS) == []
    assert check_pair(noisy(sharp, 1), sharp, LIMITS, "set", "a") == []  # in focus all over, but another shot


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (16, 16), (95, 95), (97, 130)])
def test_photos_of_any_size_can_be_measured(shape, sharp):
    photo = np.resize(sharp, (*shape, 3))
    assert check_pair(blur(photo, 1), photo, LIMITS, "set", "a") == []


def test_a_map_that_is_zero_where_the_photos_differ_is_refused(blurred, sharp):
    assert checks(blurred, sharp, np.zeros((256, 256))) == ["map"]


def test_a_map_at_its_full_level_over_most_of_the_photo_is_refused(blurred, sharp, sigma):
    (refusal,) = check_scene(scene(blurred, sharp, np.minimum(sigma / 1.2, 1)), LIMITS)
    assert refusal.check == "map" and "60%" in refusal.reason and "raise sigma_max" in refusal.reason
    assert checks(blurred, sharp, np.minimum(sigma / 1.8, 1)) == []


def test_measures_that_are_known_are_not_measured_again(blurred, sharp, sigma):
    found = measure_pair(blurred, sharp)
    shifted = scene(blurred[:, :-5], sharp[:, 5:], sigma[:, 5:] / SIGMA_MAX)
    assert check_scene(shifted, LIMITS, found) == []


@pytest.mark.skipif(not LFDOF.is_dir(), reason="the real scene of LFDOF is not there")
def test_real_pairs_are_found_aligned_and_in_order():
    truth = read_photo(LFDOF / "ground_truth" / "IMG_2649.png")
    for path in sorted((LFDOF / "input").glob("*.png"))[::4]:
        photo = read_photo(path)
        found = measure_pair(photo, truth)
        assert found.shift <= 0.25 and found.sharpening > 1, path.name
        assert check_pair(photo, truth, LIMITS, "lfdof", path.stem) == []
        assert [refusal.check for refusal in check_pair(truth, photo, LIMITS, "lfdof", path.stem)] == ["sharper"]


@pytest.mark.slow
def test_no_scene_for_testing_of_the_sample_is_refused():
    recipes = [recipe for recipe in sample.find(Path("data/sample")).entries if recipe.split != "train"]
    for recipe in recipes:
        assert check_scene(sample.read(recipe, SIGMA_MAX), LIMITS) == [], recipe.name
