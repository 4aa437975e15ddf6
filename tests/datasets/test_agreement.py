"""Pairs that are a little off in place and light are made to agree; those that are far off are refused in words."""

import cv2
import numpy as np
import pytest

from sftdec.datasets.agreement import Disagreement, agree, told_made
from sftdec.datasets.alignment import similarity_of
from sftdec.datasets.photos import recipe_photo
from sftdec.datasets.recognise import check_folder
from sftdec.optics import linear_to_srgb, srgb_to_linear
from tests.datasets.importers.pictures import photo, soften, write

SHARP = recipe_photo("china")[:400, :600]
BLURRED = soften(SHARP, 1.5)


def moved(levels, scale=0.0, degrees=0.0, right=0.0, down=0.0):
    """A photo scaled and turned clockwise about its middle, and moved."""
    height, width = levels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1 + scale)
    matrix[:, 2] += right, down
    return cv2.warpAffine(levels, matrix, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)


def lit(levels, *gains):
    return np.uint8(np.rint(255 * linear_to_srgb(np.clip(srgb_to_linear(levels / np.float32(255)) * gains, 0, 1))))


def error(found, expected):
    """Mean difference in levels away from the borders."""
    return np.abs(found.astype(int) - expected)[8:-8, 8:-8].mean()


@pytest.mark.parametrize("sigma", [0.7, 1.5, 4])
def test_a_pair_that_agrees_stays_to_the_byte(sigma):
    blurred = soften(SHARP, sigma)
    found = agree(blurred, SHARP)
    assert np.array_equal(found.sharp, SHARP) and np.array_equal(found.blurred, blurred)
    assert (found.made, found.margin) == ("", 0)


@pytest.mark.parametrize(("scale", "degrees"), [(0.005, 0), (-0.005, 0), (0, 0.25), (0, -0.25), (0.004, 0.2)])
def test_breathing_and_a_turn_within_the_limit_are_undone_in_the_sharp_photo(scale, degrees):
    blurred = moved(BLURRED, scale, degrees, right=0.4, down=-0.3)
    found = agree(blurred, SHARP)
    cut = slice(found.margin, -found.margin)
    assert "moved by" in found.made and found.sharp.shape == found.blurred.shape
    assert np.array_equal(found.blurred, blurred[cut, cut])
    truth = moved(SHARP, scale, degrees, right=0.4, down=-0.3)[cut, cut]
    assert error(found.sharp, truth) < 0.5 * error(SHARP[cut, cut], truth)
    fit = similarity_of(SHARP, blurred)
    assert fit.scale == pytest.approx(scale, abs=0.001) and np.degrees(fit.turn) == pytest.approx(degrees, abs=0.05)


@pytest.mark.parametrize(
    ("scale", "degrees", "told"), [(0.03, 0, r" 2\.\d\d % larger"), (0, 1, r"turned by \+(0\.9|1\.0)\d°")]
)
def test_a_pair_magnified_by_3_percent_or_turned_by_a_degree_is_refused_with_how_far(scale, degrees, told):
    with pytest.raises(Disagreement, match=rf"{told}.*a corner lies \d+\.\d px off, expected at most 3\.6") as raised:
        agree(moved(BLURRED, scale, degrees), SHARP)
    assert raised.value.check == "aligned"


def test_parallax_is_no_similarity():
    halves = [np.roll(SHARP, by, axis=1)[:, columns] for by, columns in ((3, slice(0, 300)), (-3, slice(300, None)))]
    assert agree(np.hstack(halves), SHARP).made == ""


@pytest.mark.parametrize("gains", [(1.15, 1.15, 1.15), (0.8, 0.8, 0.8), (1.2, 1.0, 0.85)])
def test_exposure_and_white_balance_are_brought_to_the_blurred_photos(gains):
    found = agree(lit(BLURRED, *gains), SHARP)
    told = [float(gain) for gain in found.made.rpartition("×")[2].split(",")]
    assert told == pytest.approx(gains, rel=0.03)
    unclipped = SHARP.max(axis=2) < 220
    assert np.abs(found.sharp.astype(int) - lit(SHARP, *gains))[unclipped].mean() < 2


def test_another_exposure_beyond_the_limit_is_refused_with_the_gains():
    with pytest.raises(
        Disagreement, match=r"0\.4\d, 0\.4\d, 0\.4\d times the sharp one's light.*at most 1\.5"
    ) as raised:
        agree(lit(BLURRED, 0.45, 0.45, 0.45), SHARP)
    assert raised.value.check == "light"


@pytest.mark.parametrize("gain", [0.07, 0.004])
def test_a_photo_far_too_dark_is_no_pair_of_a_bright_one_either_way(gain):
    for pair in ((lit(BLURRED, gain, gain, gain), SHARP), (BLURRED, lit(SHARP, gain, gain, gain))):
        with pytest.raises(Disagreement) as raised:
            agree(*pair)
        assert raised.value.check == "light"


def test_linear_light_beside_srgb_is_told_apart_from_a_gain():
    for photos, side in (((BLURRED, SHARP), "sharp"), ((SHARP, BLURRED), "blurred")):
        kept, stored = photos
        linear = np.uint8(np.rint(255 * srgb_to_linear(stored / np.float32(255))))
        pair = (kept, linear) if side == "sharp" else (linear, kept)
        with pytest.raises(Disagreement, match=f"the {side} photo looks as if it were in linear light"):
            agree(*pair)


def test_photos_of_two_things_are_left_for_the_checks():
    other = recipe_photo("coffee")[:400, :600]
    assert np.array_equal(agree(other, SHARP).sharp, SHARP)


def test_the_check_of_a_folder_says_what_would_be_done_and_what_is_refused(tmp_path):
    for name, blurred in (("breathing", moved(BLURRED, 0.005)), ("dark", lit(BLURRED, 0.4, 0.4, 0.4)), ("a", BLURRED)):
        write(tmp_path / "mine" / "blurred" / f"{name}.png", blurred)
        write(tmp_path / "mine" / "sharp" / f"{name}.png", SHARP)
    report = check_folder(tmp_path / "mine")
    assert [(problem.scene, problem.check) for problem in report.problems] == [("mine/dark", "light")]
    assert (
        "made to agree: the sharp photo of 1 scene\n" in report.text() and "mine/breathing: moved by" in report.text()
    )


def test_of_many_scenes_five_are_told():
    assert told_made([]) == [] and told_made(list("abcdefg"))[-1] == "  and 2 more"


def test_a_map_is_cut_as_its_photos_are(tmp_path):
    from sftdec.datasets.importers.layouts import FOLDER

    write(tmp_path / "mine" / "blurred" / "a.png", moved(BLURRED, 0.005))
    write(tmp_path / "mine" / "sharp" / "a.png", SHARP)
    write(tmp_path / "mine" / "defocus" / "a.png", np.uint16(257) * photo(400, 600, 0)[..., 0])
    scene = FOLDER.read(FOLDER.find(tmp_path / "mine").entries[0], 6.0)
    margin = (400 - scene.sharp.shape[0]) // 2
    assert margin > 0 and scene.defocus.shape == scene.sharp.shape[:2] == scene.blurred.shape[:2]
    assert scene.defocus[0, 0] == pytest.approx(photo(400, 600, 0)[margin, margin, 0] / 255, abs=1e-4)
