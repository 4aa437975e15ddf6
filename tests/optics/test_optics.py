"""Image formation, held by what a lens can't break."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sftdec.optics import (
    Aperture,
    Layer,
    ThinLens,
    add_noise,
    from_light,
    linear_to_srgb,
    point_spread_function,
    render_layers,
    render_photo,
    sigma_of_radius,
    srgb_to_linear,
    stopped_down_to,
    to_8bit,
    to_light,
)

shapes = st.sampled_from(["disc", "gaussian", "polygon"])


def photo(height=48, width=56, seed=0):
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def ramp(height, width, low, high):
    return np.tile(np.linspace(low, high, width, dtype=np.float32), (height, 1))


def test_srgb_and_linear_light_are_inverse_to_each_other():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_8bit(linear_to_srgb(srgb_to_linear(levels / 255))), levels)
    assert srgb_to_linear(0.5) == pytest.approx(0.21404, abs=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 1.8, 2.2])
def test_light_and_pixel_values_are_inverse_to_each_other(gamma):
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_8bit(from_light(to_light(levels / 255, gamma), gamma)), levels)
    assert to_light(0.5, gamma) == pytest.approx(0.5**gamma if gamma else 0.21404, abs=1e-5)


def test_coc_follows_the_thin_lens_formula():
    lens = ThinLens(focal_length_mm=50, f_number=2, focus_m=2, pixel_pitch_um=10)
    # f² / (N (s - f)) (1 - s/d) = 2500 / (2 · 1950) · 0.5 mm across at 4 m
    assert lens.coc_radius(4.0) == pytest.approx(2500 / (2 * 1950) * 0.5 * 1000 / 10 / 2, rel=1e-6)
    assert lens.coc_radius(2.0) == 0
    assert lens.coc_radius(1.0) < 0 < lens.coc_radius(np.inf)


def test_a_closed_aperture_has_no_circle_of_confusion():
    assert np.all(ThinLens(50, np.inf, 2, 10).coc_radius([0.5, 1, 9]) == 0)


def test_stopping_down_reaches_the_radius_that_was_asked_for():
    depths = np.array([1.0, 2.0, 7.0])
    lens = stopped_down_to(ThinLens(50, 2, 2, 10), depths, 6.5)
    assert np.abs(lens.coc_radius(depths)).max() == pytest.approx(6.5, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "name"),
    [((0, 2, 2, 10), "focal_length_mm"), ((50, -1, 2, 10), "f_number"), ((50, 2, 0.04, 10), "focus_m")],
)
def test_an_impossible_lens_names_what_is_wrong(values, name):
    with pytest.raises(ValueError, match=name):
        ThinLens(*values)


def test_depth_behind_the_camera_is_refused():
    with pytest.raises(ValueError, match="depth must be above 0"):
        ThinLens(50, 2, 2, 10).coc_radius([-1.0])


@given(st.floats(0, 12), shapes, st.integers(3, 9))
def test_a_psf_sums_to_one_and_is_centred(radius, shape, blades):
    kernel = point_spread_function(radius, shape, blades)
    assert kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    if shape != "polygon" or blades % 2 == 0:
        assert ndimage.center_of_mass(kernel) == pytest.approx([kernel.shape[0] // 2] * 2, abs=0.05)


@given(st.floats(2, 12), st.sampled_from(["disc", "gaussian"]))
def test_a_psf_has_the_second_moment_of_its_gaussian_equivalent(radius, shape):
    kernel = point_spread_function(radius, shape).astype(np.float64)
    offsets = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    sigma = np.sqrt((kernel.sum(0) * offsets**2).sum())
    assert sigma == pytest.approx(np.hypot(sigma_of_radius(radius), np.sqrt(1 / 12)), rel=0.03)  # a pixel has width too


def test_a_psf_of_radius_zero_is_a_single_point():
    assert all(point_spread_function(0.0, shape).tolist() == [[1.0]] for shape in ("disc", "gaussian", "polygon"))


@pytest.mark.parametrize("blades", [3, 5, 6, 8])
def test_a_polygon_has_the_area_of_the_disc_of_its_radius(blades):
    level = point_spread_function(8.0, "polygon", blades).max()  # of a pixel that lies wholly inside
    assert 1 / level == pytest.approx(np.pi * 8.0**2, rel=0.01)


def test_an_odd_polygon_stands_upside_down_before_the_focus():
    behind, before = point_spread_function(6.0, "polygon", 5), point_spread_function(-6.0, "polygon", 5)
    assert np.allclose(before, behind[::-1, ::-1], atol=1e-6) and not np.allclose(before, behind, atol=1e-3)


def test_psf_refuses_what_is_no_aperture():
    with pytest.raises(ValueError, match="star"):
        point_spread_function(2.0, "star")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 blades"):
        point_spread_function(2.0, "polygon", 2)


def test_aperture_zero_returns_the_photo():
    rendered, radius = render_photo(photo(), np.zeros((48, 56), np.float32))
    assert np.allclose(rendered, photo(), atol=1e-6) and not radius.any()


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), shapes, st.floats(-8, 0), st.floats(0, 8), st.integers(0, 5))
def test_a_constant_photo_stays_constant_to_one_grey_level(level, shape, low, high, seed):
    radius = np.random.default_rng(seed).uniform(low, high, (40, 40)).astype(np.float32)
    flat = np.full((40, 40, 3), level, np.float32)
    rendered, _ = render_photo(flat, ndimage.gaussian_filter(radius, 3), Aperture(shape))
    before, after = (to_8bit(linear_to_srgb(x)).astype(int) for x in (flat, rendered))
    assert np.abs(before - after).max() <= 1


@settings(max_examples=10, deadline=None)
@given(st.floats(0.5, 8), shapes)
def test_energy_of_a_light_within_the_picture_is_kept(radius, shape):
    dark = np.zeros((64, 64, 3), np.float32)
    dark[30:34, 30:34] = 1
    rendered, _ = render_photo(dark, np.full((64, 64), radius, np.float32), Aperture(shape))
    assert rendered.sum() == pytest.approx(dark.sum(), rel=1e-4)


@pytest.mark.parametrize("shape", ["disc", "gaussian", "polygon"])
def test_a_plane_parallel_to_the_sensor_equals_a_plain_convolution(shape):
    rendered, _ = render_photo(photo(), np.full((48, 56), -3.0, np.float32), Aperture(shape, blades=5))
    kernel = point_spread_function(-3.0, shape, 5)
    expected = np.stack([ndimage.convolve(photo()[..., c], kernel, mode="reflect") for c in range(3)], axis=2)
    assert np.allclose(rendered, expected, atol=1e-5)


def two_depths(near_radius, far_radius):
    """A bright square before a dark ground, 60×60."""
    picture, radius = np.full((60, 60, 3), 0.1, np.float32), np.full((60, 60), far_radius, np.float32)
    picture[20:40, 20:40], radius[20:40, 20:40] = 0.9, near_radius
    return picture, radius


def test_a_blurred_foreground_spreads_over_a_sharp_background():
    rendered, _ = render_photo(*two_depths(near_radius=-5, far_radius=0))
    assert rendered[30, 17, 0] > 0.15 and rendered[30, 12, 0] == pytest.approx(0.1, abs=1e-4)


def test_a_sharp_foreground_is_not_bled_into_and_bleeds_nothing():
    rendered, _ = render_photo(*two_depths(near_radius=0, far_radius=5))
    assert np.allclose(rendered[20:40, 20:40], 0.9, atol=1e-4)
    assert np.allclose(rendered[30, :20], 0.1, atol=1e-4)


@pytest.mark.parametrize(("near", "far"), [(-5, 0), (-5, 3), (-3, 6), (2, 6)])
def test_through_the_rim_of_a_blurred_thing_the_ground_that_it_hides_is_seen(near, far):
    ground = Layer(np.full((60, 60, 3), 0.1, np.float32), np.ones((60, 60), np.float32), far)
    thing = Layer(np.full((60, 60, 3), 0.9, np.float32), np.zeros((60, 60), np.float32), near)
    thing.alpha[20:40, 20:40] = 1
    rendered, _ = render_photo(*two_depths(near, far))
    assert rendered[30, 20, 0] < 0.8
    assert np.allclose(rendered, render_layers([ground, thing]), atol=1e-5)


def test_radii_are_rendered_to_half_a_step():
    asked = np.random.default_rng(4).uniform(-6, 6, (24, 24)).astype(np.float32)
    _, rendered = render_photo(photo(24, 24), asked, step=0.5)
    assert 0.2 < np.abs(rendered - asked).max() <= 0.25 + 1e-6


def test_what_lies_at_depths_between_does_not_ring_the_edge_of_a_near_thing():
    picture, radius = np.full((80, 80, 3), 0.8, np.float32), np.full((80, 80), 5.0, np.float32)  # a bright sky, far
    picture[50:], radius[50:] = 0.05, np.linspace(5, 0, 30)[:, None]  # dark ground that comes near
    radius[10:30, 30:50] = 0  # a thing in focus before the sky, as bright as it
    rendered, _ = render_photo(picture, radius)
    assert np.allclose(rendered[5:38], 0.8, atol=1 / 255)


def gather(layers, radii, samples=41):
    """A brute-force lens: each pixel's light over the aperture, ray by ray; the nearest sheet a ray meets is seen."""
    height, width = layers[0].alpha.shape
    offsets = np.linspace(-1, 1, samples)
    picture, count = np.zeros((height, width, 3)), 0
    y, x = np.mgrid[:height, :width]
    for v in offsets:
        for u in offsets:
            if u * u + v * v > 1:
                continue
            count += 1
            seen, open_ = np.zeros((height, width, 3)), np.ones((height, width))
            for layer, radius in zip(reversed(layers), reversed(radii), strict=True):  # from near to far
                rows = np.clip(np.rint(y + v * radius).astype(int), 0, height - 1)
                columns = np.clip(np.rint(x + u * radius).astype(int), 0, width - 1)
                alpha = layer.alpha[rows, columns] * open_
                seen += alpha[..., None] * layer.colour[rows, columns]
                open_ = open_ * (1 - layer.alpha[rows, columns])
            picture += seen
    return picture / count


def test_a_small_scene_agrees_with_a_brute_force_gather_of_rays():
    generator = np.random.default_rng(3)
    radii = [4.0, 0.0, -3.0]
    layers = []
    for number, radius in enumerate(radii):
        colour = ndimage.gaussian_filter(generator.random((40, 40, 3)), (2, 2, 0)).astype(np.float32)
        alpha = np.zeros((40, 40), np.float32)
        alpha[6 * number : 40 - 5 * number, 10 * number : 10 + 12 * number + 30] = 1
        layers.append(Layer(colour, np.ones((40, 40), np.float32) if number == 0 else alpha, radius))
    inner = (slice(6, -6), slice(6, -6))
    difference = np.abs(render_layers(layers) - gather(layers, radii))[inner]
    assert difference.mean() < 1 / 255 and difference.max() < 6 / 255  # the rays are rounded to whole pixels


def test_render_refuses_layers_it_cannot_compose():
    sheet = Layer(photo(), np.ones((48, 56), np.float32), 1.0)
    with pytest.raises(ValueError, match="at least one layer"):
        render_layers([])
    with pytest.raises(ValueError, match="layer 1 has colour"):
        render_layers([sheet, Layer(photo(20, 20), np.ones((20, 20), np.float32), 1.0)])
    with pytest.raises(ValueError, match="farthest layer"):
        render_layers([Layer(photo(), np.zeros((48, 56), np.float32), 1.0)])


def test_render_photo_refuses_maps_that_do_not_fit():
    with pytest.raises(ValueError, match="one size"):
        render_photo(photo(), np.zeros((20, 20), np.float32))
    with pytest.raises(ValueError, match="NaN"):
        render_photo(photo(), np.full((48, 56), np.nan, np.float32))


def test_noise_grows_with_the_signal_and_comes_from_the_generator_alone():
    flat = np.concatenate([np.full((200, 200, 3), level, np.float32) for level in (0.1, 0.9)])
    noisy = add_noise(flat, 0.001, 0.002, np.random.default_rng(1))
    assert np.array_equal(noisy, add_noise(flat, 0.001, 0.002, np.random.default_rng(1)))
    for part, level in ((noisy[:200], 0.1), (noisy[200:], 0.9)):
        assert part.std() == pytest.approx(np.sqrt(0.001 * level + 0.002**2), rel=0.02)
    assert add_noise(flat, 0, 0, np.random.default_rng(1)) is flat
    with pytest.raises(ValueError, match="noise"):
        add_noise(flat, -1, 0, np.random.default_rng(1))
