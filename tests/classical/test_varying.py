import numpy as np
import pytest

from sftdec.classical import deconvolve
from sftdec.evaluation.metrics import psnr, to_uint8
from tests.classical.scenes import NOISE, rendered, sigma_of


def gain(scene, psf):
    restored = to_uint8(deconvolve(scene.blurred, sigma_of(scene), psf))
    return psnr(restored, scene.sharp) - psnr(scene.blurred, scene.sharp)


@pytest.mark.parametrize("noise", [NOISE, (0.0, 0.0)])
@pytest.mark.parametrize(
    ("photo", "depth", "sigma", "psf"),
    [
        ("coffee", "plane", 1.0, "gaussian"),
        ("brick", "plane", 2.0, "disc"),
        ("china", "plane", 3.0, "disc"),
        ("hopper", "plane", 3.0, "gaussian"),
        ("astronaut", "ramp", 3.0, "disc"),
        ("motorcycle", "cutout", 2.0, "disc"),
    ],
)
def test_with_the_true_map_deconvolution_gains_at_least_one_and_a_half_decibels(photo, depth, sigma, psf, noise):
    assert gain(rendered(photo, depth, sigma, psf, noise), psf) >= 1.5


def test_a_map_of_zero_leaves_the_picture_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    assert np.array_equal(to_uint8(deconvolve(picture, np.zeros((24, 32), np.float32))), picture)


def test_the_border_of_a_photo_cut_from_a_larger_one_does_not_ring():
    scene = rendered("coffee", "plane", 2.5)
    inner, rim = slice(32, 128), np.ones((96, 96), bool)
    rim[12:-12, 12:-12] = False
    cut = to_uint8(deconvolve(scene.blurred[inner, inner], sigma_of(scene)[inner, inner], "disc"))
    error, before = (
        np.abs(x[..., :].astype(int) - scene.sharp[inner, inner]) for x in (cut, scene.blurred[inner, inner])
    )
    assert error[rim].mean() < before[rim].mean()


def test_beside_what_is_sharp_a_blurred_surface_does_not_ring():
    """A sharp white bar before an even, blurred ground: nothing is there to be restored but the bar's ripples."""
    picture = np.full((64, 96, 3), 60, np.uint8)
    picture[:, 40:56] = 250
    sigma = np.full((64, 96), 3.0, np.float32)
    sigma[:, 40:56] = 0
    assert np.abs(to_uint8(deconvolve(picture, sigma)).astype(int) - picture).max() <= 3


def test_floats_and_levels_give_the_same_picture():
    scene = rendered("coffee", "ramp", 2.0, side=48)
    levels, floats = (deconvolve(image, sigma_of(scene)) for image in (scene.blurred, scene.blurred / np.float32(255)))
    assert levels == pytest.approx(floats, abs=1e-4) and levels.dtype == np.float32


@pytest.mark.parametrize(
    ("image", "sigma", "psf", "message"),
    [
        (np.zeros((16, 16), np.uint8), np.zeros((16, 16)), "disc", "H×W×3"),
        (np.zeros((16, 16, 3), np.int64), np.zeros((16, 16)), "disc", "int64"),
        (np.zeros((16, 16, 3), np.uint8), np.zeros((16, 15)), "disc", r"\(16, 15\)"),
        (np.zeros((16, 16, 3), np.uint8), np.full((16, 16), -1.0), "disc", "0 px or more"),
        (np.zeros((16, 16, 3), np.uint8), np.full((16, 16), np.nan), "disc", "finite"),
        (np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16)), "polygon", "disc and gaussian"),
    ],
)
def test_what_cannot_be_deconvolved_is_refused(image, sigma, psf, message):
    with pytest.raises(ValueError, match=message):
        deconvolve(image, sigma, psf)
