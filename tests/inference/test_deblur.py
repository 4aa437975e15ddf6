"""A picture in, a picture and its map out."""

import numpy as np
import pytest

from sftdec.inference.deblur import deblur_array
from tests.tiny import stirred_network


@pytest.fixture(scope="module")
def network():
    return stirred_network()


def picture(height=20, width=31):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_8_bit_16_bit_and_float_of_one_picture_give_one_result(network):
    levels = picture()
    results = [deblur_array(network, x) for x in (levels, levels.astype(np.uint16) * 257, levels / 255)]
    for deblurred, defocus in results:
        assert deblurred.shape == (20, 31, 3) and defocus.shape == (20, 31) and deblurred.dtype == np.float32
        assert deblurred.min() >= 0 and deblurred.max() <= 1 and defocus.min() >= 0 and defocus.max() <= 1
        assert np.allclose(deblurred, results[0][0], atol=1e-5)
