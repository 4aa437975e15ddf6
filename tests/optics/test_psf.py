"""Rims, cat's eyes and colour fringes, held by what no aperture can break."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sftdec.optics import Aperture, Layer, point_spread_function, render_layers

radii = st.floats(3, 12)
rims = st.floats(-0.9, 4)
cuts = st.floats(0, 1.2)
angles = st.floats(0, 3.1)
signs = st.sampled_from([-1, 1])


def moments(kernel):
    """Centre (rows, columns) and second moments (down, across, mixed) of a kernel, px."""
    weights = np.asarray(kernel, np.float64)
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    centre = (weights * y).sum(), (weights * x).sum()
    y, x = y - centre[0], x - centre[1]
    return centre, ((weights * y * y).sum(), (weights * x * x).sum(), (weights * x * y).sum())


@given(radius=radii, rim=rims, cut=cuts, angle=angles)
@example(radius=3.0, rim=3.0, cut=0.909, angle=0.785)  # the farthest of 500 a radius: 5.7 %, 0.04 px of sigma
@settings(deadline=None, max_examples=40)
def test_a_rim_and_a_cut_keep_the_light_the_centre_and_the_second_moment(radius, rim, cut, angle):
    kernel = point_spread_function(radius, "disc", 6, rim, cut, angle)
    centre, (down, across, _) = moments(kernel)
    assert kernel.sum() == pytest.approx(1, abs=1e-5) and kernel.min() >= 0
    assert np.hypot(*centre) < 0.01
    plain = moments(point_spread_function(radius))[1]
    # bright edges of small discs lie between two samples
    assert down + across == pytest.approx(plain[0] + plain[1], rel=0.02 + 0.4 / radius**2)


@given(radius=st.floats(6, 12), sign=signs, blades=st.integers(4, 8), rim=rims, cut=cuts, angle=angles)
@settings(deadline=None, max_examples=40)
def test_a_polygon_keeps_its_centre_and_its_second_moment_too(radius, sign, blades, rim, cut, angle):
    kernel = point_spread_function(sign * radius, "polygon", blades, rim, cut, angle)
    centre, found = moments(kernel)
    plain = moments(point_spread_function(radius, "polygon", blades))[1]
    assert np.hypot(*centre) < 0.1
    assert found[0] + found[1] == pytest.approx(plain[0] + plain[1], rel=0.07)  # straight edges between two samples


@given(radius=st.floats(4, 12), rim=st.floats(0.5, 4))
@settings(deadline=None, max_examples=20)
def test_a_rim_is_brighter_than_the_middle_and_one_below_zero_darker(radius, rim):
    for sign in (1, -1):
        strength = rim if sign > 0 else -min(rim, 0.9)
        kernel = point_spread_function(radius, "disc", 6, strength)
        middle = kernel.shape[0] // 2
        row = kernel[middle]
        whole = np.flatnonzero(row > 0.4 * kernel[middle, middle])  # not the pixels that the edge runs through
        assert sign * (row[whole[2]] - row[middle]) > 0


@given(radius=st.floats(4, 12), cut=st.floats(0.4, 1.2), angle=angles)
@settings(deadline=None, max_examples=20)
def test_a_cats_eye_is_narrow_along_the_cut_and_long_across_it(radius, cut, angle):
    _, (down, across, mixed) = moments(point_spread_function(radius, "disc", 6, 0.0, cut, angle))
    y, x = np.sin(angle), np.cos(angle)
    along = down * y * y + across * x * x + 2 * mixed * x * y
    assert along < 0.9 * (down + across - along)


@given(rim=rims, cut=cuts)
@settings(deadline=None, max_examples=10)
def test_a_gaussian_has_no_edge(rim, cut):
    assert np.array_equal(
        point_spread_function(4.0, "gaussian", 6, rim, cut, 0.3), point_spread_function(4.0, "gaussian")
    )


def lit(places, size=96):
    colour = np.zeros((size, size, 3), np.float32)
    for row, column in places:
        colour[row, column] = 1
    return Layer(colour, np.ones((size, size), np.float32), 5.0)


@given(corner=st.floats(0.3, 1.2), rim=st.floats(0, 2))
@settings(deadline=None, max_examples=10)
def test_the_disc_is_whole_in_the_middle_and_a_cats_eye_towards_the_corners(corner, rim):
    picture = render_layers([lit([(48, 48), (14, 14)])], Aperture(corner=corner, rim=rim))[..., 0]
    middle, outer = picture[32:65, 32:65], picture[:29, :29]
    assert middle.sum() == pytest.approx(1, abs=0.05) and outer.sum() == pytest.approx(1, abs=0.05)
    (_, (down, across, mixed)), (_, bent) = moments(middle), moments(outer)
    assert abs(down - across) < 0.05 * down and abs(mixed) < 0.05 * down
    assert bent[2] < -0.02 * bent[0]  # it lies across the line to the middle of the picture


@given(corner=st.floats(0, 1.2), rim=rims, fringe=st.floats(-2, 2), radius=st.floats(-8, 8))
@settings(deadline=None, max_examples=20)
def test_an_even_surface_stays_even_whatever_the_aperture(corner, rim, fringe, radius):
    layer = Layer(np.full((40, 48, 3), 0.3, np.float32), np.ones((40, 48), np.float32), radius)
    rendered = render_layers([layer], Aperture("disc", 6, rim, corner, fringe))
    assert np.abs(rendered - 0.3).max() < 1e-4


@given(fringe=st.floats(0.5, 2), radius=st.sampled_from([-5.0, 5.0]))
@settings(deadline=None, max_examples=10)
def test_what_is_behind_the_focus_has_a_red_fringe_and_what_is_before_it_a_blue_one(fringe, radius):
    layer = lit([(48, 48)])
    rendered = render_layers([Layer(layer.colour, layer.alpha, radius)], Aperture(fringe_px=fringe))
    red, green, blue = (sum(moments(rendered[16:81, 16:81, channel])[1][:2]) for channel in range(3))
    assert (red > green > blue) if radius > 0 else (red < green < blue)
    assert rendered.sum(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=0.01)
