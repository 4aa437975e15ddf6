import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.reporting.crops import Crop, choose_crops
from tests.evaluation.scenes import halfway, make_scene


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 5))
def test_windows_lie_inside_pictures_of_any_size(height, width, seed):
    scene = make_scene(height=height, width=width, seed=seed)
    for crop in choose_crops(scene, halfway(scene)):
        assert crop.top >= 0 and crop.top + crop.side <= height
        assert crop.left >= 0 and crop.left + crop.side <= width
        assert crop.of(scene.sharp).shape == (crop.side, crop.side, 3)


@pytest.mark.parametrize("size", [(16, 16), (12, 60), (128, 96)])
def test_windows_do_not_overlap_where_there_is_room(size):
    scene = make_scene(height=size[0], width=size[1])
    first, second = choose_crops(scene, halfway(scene))
    assert not first.overlaps(second)


def test_a_picture_of_one_window_gives_it_twice():
    scene = make_scene(height=8, width=8)
    assert choose_crops(scene, halfway(scene)) == (Crop(0, 0, 8), Crop(0, 0, 8))


def test_the_first_window_lies_where_the_blur_is_strong():
    scene = make_scene(height=96, width=128)
    first, _ = choose_crops(scene, halfway(scene))
    assert scene.defocus[first.top : first.top + first.side, first.left : first.left + first.side].mean() > 0.8


def test_the_first_window_avoids_what_is_blurred_but_blank():
    scene = make_scene(height=96, width=128)
    scene.sharp[:, 64:] = 90
    scene.blurred[:, 64:] = 90
    first, _ = choose_crops(scene, halfway(scene))
    assert first.left < 64


def test_the_second_window_gains_what_the_picture_gains():
    scene = make_scene(height=96, width=96)
    deblurred = scene.blurred.copy()
    deblurred[:, 48:] = halfway(scene)[:, 48:]
    _, second = choose_crops(scene, deblurred)
    before, after = (
        np.square(second.of(picture).astype(float) - second.of(scene.sharp)).mean()
        for picture in (scene.blurred, deblurred)
    )
    assert after < before


def test_equal_pictures_and_a_flat_scene_are_no_obstacle():
    scene = make_scene(height=32, width=32)
    scene.sharp[:] = scene.blurred[:] = 7
    assert len(choose_crops(scene, scene.sharp)) == 2


def test_the_same_scene_gives_the_same_windows():
    assert choose_crops(make_scene(), halfway(make_scene())) == choose_crops(make_scene(), halfway(make_scene()))
