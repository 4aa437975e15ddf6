import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve

from sftdec.classical.hyper_laplacian import ALPHA, _cosines, _spectrum, deconvolve_uniform, shrink
from sftdec.optics import point_spread_function


@given(st.floats(-3, 3), st.floats(0.5, 300), st.sampled_from([0.5, ALPHA, 0.8]))
def test_the_table_gives_the_least_of_all_candidates(v, beta, alpha):
    def cost(w):
        return np.abs(w) ** alpha + beta / 2 * (w - v) ** 2

    found = float(shrink(np.float32([v]), beta, alpha)[0])
    assert cost(found) <= cost(np.linspace(-3.5, 3.5, 7001)).min() * (1 + 1e-3) + 1e-4
    assert found * v >= 0


def test_cosines_convolve_a_picture_that_goes_on_mirrored():
    picture = np.random.default_rng(0).random((17, 24, 3)).astype(np.float32)
    kernel = point_spread_function(2.6)
    found = _cosines(_spectrum(kernel, (17, 24))[..., None] * _cosines(picture), inverse=True)
    assert found == pytest.approx(convolve(picture, kernel[..., None], mode="reflect"), abs=1e-5)


@pytest.mark.parametrize("shape", ["disc", "gaussian"])
def test_a_blurred_step_is_sharp_again(shape):
    sharp = np.zeros((48, 64), np.float32)
    sharp[:, 30:] = 0.8
    kernel = point_spread_function(4.0, shape)
    blurred = convolve(sharp, kernel, mode="reflect")
    restored = deconvolve_uniform(blurred, kernel)
    assert np.abs(restored - sharp).mean() < 0.4 * np.abs(blurred - sharp).mean()


def test_an_even_picture_stays_as_it_is():
    even = np.full((20, 30, 3), 0.3, np.float32)
    assert deconvolve_uniform(even, point_spread_function(3.0)) == pytest.approx(even, abs=1e-5)


def test_what_is_not_to_be_trusted_does_not_spoil_its_surroundings():
    sharp = np.random.default_rng(0).random((48, 48, 1)).astype(np.float32).repeat(3, axis=2)
    kernel = point_spread_function(2.0)
    blurred = convolve(sharp, kernel[..., None], mode="reflect")
    blurred[20:28, 20:28] = 1
    trust = np.ones((48, 48), np.float32)
    trust[20:28, 20:28] = 0
    beside = np.zeros((48, 48), bool)
    beside[14:34, 14:34] = True
    beside[20:28, 20:28] = False
    errors = [np.abs(deconvolve_uniform(blurred, kernel, trust=t) - sharp)[beside].mean() for t in (None, trust)]
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.full((4, 4), 1 / 16, np.float32), "K odd"),
        (np.full((3, 3), 1, np.float32), "sum"),
        (point_spread_function(5.0, "polygon", 5), "not a polygon"),
    ],
)
def test_kernels_that_cannot_be_used_are_refused(kernel, message):
    with pytest.raises(ValueError, match=message):
        deconvolve_uniform(np.zeros((16, 16, 3), np.float32), kernel)


@pytest.mark.parametrize(("beta", "alpha"), [(0, 0.5), (1, 1.0), (1, 0)])
def test_no_hyper_laplacian_is_refused(beta, alpha):
    with pytest.raises(ValueError, match="hyper-Laplacian"):
        shrink(np.zeros(3, np.float32), beta, alpha)
