"""Pictures of a defocus map for the eye."""

import numpy as np
import pytest

from sftdec.photos.defocus_pictures import preview, scaled


@pytest.mark.parametrize(
    ("largest", "sigma_max", "ends"),
    [(1.0, 24, 24), (0.6, 24, 24), (0.4, 24, 12), (0.2, 24, 6), (0.01, 24, 6), (0.2, 6, 6), (0.2, 13, 6.5)],
)
def test_a_scale_goes_no_further_than_the_blur_nor_ends_below_6_px(largest, sigma_max, ends):
    defocus = np.tile(np.linspace(0, largest, 60, dtype=np.float32), (50, 1))
    defocus[0, :2] = 1  # a speck is no reason
    shown, scale = scaled(defocus, sigma_max)
    assert scale == ends and shown.max() <= 1
    assert np.allclose(shown[1:] * scale, defocus[1:] * sigma_max, atol=1e-5)


def test_a_preview_of_light_blur_is_as_bright_as_on_its_own_scale():
    light = np.full((50, 400), 0.2, np.float32)
    assert np.array_equal(np.asarray(preview(light, 24)), np.asarray(preview(light * 4, 6)))
