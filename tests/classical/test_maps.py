from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sftdec.classical import karaali_jung, zhuo_sim
from sftdec.classical.edges import gradient_magnitude, sigma_of_ratio
from sftdec.classical.karaali_jung import connected_edge_filter
from sftdec.classical.propagation import by_domain_transform, by_guided_filter, by_matting, matting_laplacian
from tests.classical.scenes import rendered, sigma_of

ESTIMATES = {karaali_jung: karaali_jung.karaali_jung_map, zhuo_sim: zhuo_sim.zhuo_sim_map}
METHODS = [
    pytest.param(estimate_map, id=method.__name__.rsplit(".", 1)[-1]) for method, estimate_map in ESTIMATES.items()
]
SPREADS = [
    pytest.param(by_matting, id="matting"),
    pytest.param(lambda sparse, weight, guide: by_guided_filter(sparse, weight, guide, 12), id="guided"),
    pytest.param(lambda sparse, weight, guide: by_domain_transform(sparse, weight, guide, 12, 0.5), id="domain"),
]


# Photos with edges in every part, by the rule of benchmarks/classical.py.
TEXTURED = ["coins", "gravel", "ihc", "motorcycle"]


@lru_cache(maxsize=12)
def cluttered(photo, depth, focus):
    return rendered(photo, depth, 3.0, side=224, focus=focus, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("estimate", METHODS)
@pytest.mark.parametrize(
    ("depth", "focus"),
    [
        pytest.param("ramp", 0.9, id="ramp"),
        pytest.param("cutout", 0.9, id="sharp before a blurred ground"),
        pytest.param("cutout", 0.1, id="blurred before a sharp ground"),
    ],
)
def test_maps_correlate_with_the_truth_on_textured_photos(estimate, depth, focus):
    scenes = [cluttered(photo, depth, focus) for photo in TEXTURED]
    found = {
        photo: np.corrcoef(estimate(scene.blurred).ravel(), scene.defocus.ravel())[0, 1]
        for photo, scene in zip(TEXTURED, scenes, strict=True)
    }
    assert min(found.values()) >= 0.6, found


@pytest.mark.parametrize(
    ("method", "photo", "seed"),
    [
        pytest.param(karaali_jung, "brick", 2, id="dark texture under bright joints"),
        pytest.param(zhuo_sim, "astronaut", 3, id="folds beside one another"),
    ],
)
def test_neighbouring_edges_and_dark_parts_leave_the_map_right(method, photo, seed):
    scene = rendered(photo, "cutout", 3.0, side=224, focus=0.1, seed=seed)
    found = ESTIMATES[method](scene.blurred)
    assert np.corrcoef(found.ravel(), scene.defocus.ravel())[0, 1] >= 0.6


@pytest.mark.parametrize("method", [karaali_jung, zhuo_sim])
def test_parts_out_of_focus_have_edges_too(method):
    scene = rendered("gravel", "cutout", 3.0, side=224, focus=0.1)
    _, weight = method.sparse_map(scene.blurred / np.float32(255))
    blurred = sigma_of(scene) > 2
    assert weight[blurred].mean() > 0.45 * weight[~blurred].mean()


@pytest.mark.parametrize("estimate", METHODS)
def test_a_photo_without_edges_tells_of_no_blur(estimate):
    assert estimate(np.full((32, 40, 3), 90, np.uint8)).tolist() == np.zeros((32, 40)).tolist()


@pytest.mark.parametrize("estimate", METHODS)
def test_maps_stay_within_what_is_looked_for(estimate):
    found = estimate(rendered("gravel", "plane", 4.0, side=96).blurred, sigma_max=2.0)
    assert found.min() >= 0 and found.max() <= 2


@pytest.mark.parametrize("estimate", METHODS)
@pytest.mark.parametrize(
    "image", [np.zeros((12, 40, 3), np.uint8), np.zeros((40, 40), np.uint8), np.full((20, 20, 3), np.nan)]
)
def test_what_is_no_photo_is_refused(estimate, image):
    with pytest.raises(ValueError, match=r"picture"):
        estimate(image)


def step(sigma, shape=(64, 96)):
    sharp = np.zeros(shape, np.float32)
    sharp[:, shape[1] // 2 :] = 1
    return gaussian_filter(sharp, sigma, mode="nearest")


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("again", [1.5, 2.5])
def test_the_ratio_of_gradients_gives_the_sigma_of_a_blurred_step(sigma, again):
    edge = step(sigma)
    first, second = (gradient_magnitude(edge, scale)[32, 47:49] for scale in (1.0, again))
    assert sigma_of_ratio(first / second, 1.0, again, 6.0) == pytest.approx(sigma, abs=0.1)


def test_a_ratio_that_no_step_has_is_the_widest_blur_or_none():
    assert sigma_of_ratio(np.float32([0.9, 1.0, 5.0]), 1.0, 1.5, 4.0).tolist() == [4, 4, 0]


@pytest.mark.parametrize("estimate", METHODS)
def test_more_blur_gives_a_higher_map(estimate):
    means = [estimate(rendered("brick", "plane", sigma).blurred).mean() for sigma in (0.7, 1.5, 2.5)]
    assert means[0] + 0.2 < means[1] and means[1] + 0.2 < means[2]


def test_sigma_is_smoothed_along_connected_edges_only():
    edges = np.zeros((9, 20), bool)
    edges[2], edges[6] = True, True
    sigma = np.where(edges, np.random.default_rng(0).uniform(0, 2, edges.shape), 0).astype(np.float32)
    sigma[6] = 5
    smooth = connected_edge_filter(sigma, edges, np.ones_like(sigma), 10.0)
    assert smooth[6] == pytest.approx(5, abs=1e-4) and smooth[~edges].max() == 0
    assert smooth[2].std() < 0.3 * sigma[2].std() and smooth[2].mean() == pytest.approx(sigma[2].mean(), abs=1e-4)


@pytest.mark.parametrize("spread", SPREADS)
def test_two_halves_of_a_photo_keep_their_own_values(spread):
    guide = np.zeros((48, 64, 3), np.float32)
    guide[:, 32:] = 1
    sparse, weight = np.zeros((48, 64), np.float32), np.zeros((48, 64), np.float32)
    weight[8:40:8, 4:60:8] = 1
    sparse[:, :32], sparse[:, 32:] = 1, 3
    found = spread(sparse * weight, weight, guide)
    assert np.abs(found[:, 2:28] - 1).max() < 0.2 and np.abs(found[:, 36:62] - 3).max() < 0.2


def test_the_matting_laplacian_costs_nothing_for_a_map_that_is_linear_in_the_colours():
    guide = np.random.default_rng(0).random((9, 11, 3)).astype(np.float32)
    laplacian = matting_laplacian(guide, 1e-9)
    linear, other = (guide @ np.float32([1, 2, -1]) + 0.5).ravel(), np.random.default_rng(1).random(99)
    assert abs(linear @ (laplacian @ linear)) < 1e-4 < 0.1 < other @ (laplacian @ other)


def test_a_large_photo_is_solved_smaller_and_brought_back_along_its_edges():
    scene = rendered("coffee", "ramp", 2.0, side=128)
    unit = scene.blurred / np.float32(255)
    weight = (np.random.default_rng(0).random((128, 128)) < 0.1).astype(np.float32)
    whole, smaller = (by_matting(sigma_of(scene) * weight, weight, unit, largest=size) for size in (20_000, 5_000))
    assert np.abs(whole - smaller).mean() < 0.1
