"""Tiles against the whole picture."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sftdec.inference.tile_size import GIB, LARGEST, choose_tile, predict_bytes
from sftdec.inference.tiling import Picture, deblur_in_tiles, tile_boxes
from sftdec.networks import build_network
from sftdec.params.network import MODULATIONS, NetworkConfig
from tests.inference.stirred import picture, runtime, stirred_network, whole

stirred = cache(stirred_network)


def tiled(computing, image, tile, progress=None):
    """Deblurred picture and map, not clipped; NaN where no tile wrote."""
    result = np.full_like(image, np.nan)

    def write(rows, columns, part):
        result[rows, columns] = part

    return result, deblur_in_tiles(computing, Picture(image, computing.reach.stem), tile, write, progress)


def difference(found, expected):
    """The largest one, as a share of the largest value where that is above 1."""
    return float(np.abs(found - expected).max() / max(1, np.abs(expected).max()))


@settings(max_examples=25)
@given(
    size=st.tuples(st.integers(16, 80), st.integers(16, 80)),
    tile=st.integers(9, 90),
    stem=st.sampled_from([1, 2, 4]),
    modulation=st.sampled_from(MODULATIONS),
    window=st.sampled_from([None, 8, 25, 64]),
    kind=st.sampled_from(["small", "paper"]),
)
@example((16, 17), 9, 4, "sft_dec", None, "small")
@example((80, 19), 33, 2, "sft_fdec", 25, "paper")
@example((61, 50), 10, 4, "sft_fdec", 8, "small")
def test_tiles_equal_the_whole_picture_to_two_millionths(size, tile, stem, modulation, window, kind):
    window = window if modulation in ("sft_dec", "sft_fdec") else None
    net = stirred(kind, window, modulation=modulation, stem=stem)
    image = picture(*size)
    for found, expected in zip(tiled(runtime(net), image, tile), whole(net, image), strict=True):
        assert difference(found, expected) <= 2e-6


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("part", ["defocus", "condition", "blurred"])
def test_with_a_feature_less_of_halo_tiles_differ_from_the_whole_picture(part, stem):
    """The networks of these tests would show a missing halo, and the reach is no larger than it need be."""
    net = stirred("paper", stem=stem)
    computing, image = runtime(net), picture(60, 64)
    reach = computing.reach
    if part == "blurred":  # picture and map are given alike, so that both must be cut
        less = {"blurred": reach.guide - 1, "guide": reach.guide - 1, "transforms": 0}
    else:
        less = {part: getattr(reach, part) - 1}
    computing.reach = replace(reach, **less)
    (deblurred, defocus), (expected, expected_map) = tiled(computing, image, 16), whole(net, image)
    assert max(difference(deblurred, expected), difference(defocus, expected_map)) > 2e-6


@pytest.mark.parametrize("stem", [1, 2])
def test_with_less_of_the_map_than_the_windows_cover_tiles_differ_from_the_whole_picture(stem):
    net = stirred("paper", 24, stem=stem)
    computing, image = runtime(net), picture(60, 64)
    computing.reach = replace(computing.reach, window=1)
    assert difference(tiled(computing, image, 16)[0], whole(net, image)[0]) > 2e-6


def test_without_any_halo_or_with_a_mean_for_each_tile_they_differ_plainly():
    net = stirred("paper")
    computing, image = runtime(net), picture(60, 64)
    expected = whole(net, image)[0]
    reach = computing.reach
    computing.reach = replace(reach, defocus=0, condition=0, blurred=0, guide=0, transforms=0)
    assert difference(tiled(computing, image, 16)[0], expected) > 0.05
    computing.reach = replace(reach, pools=False)
    assert difference(tiled(computing, image, 16)[0], expected) > 1e-4


def test_progress_goes_over_the_tiles_of_all_passes():
    told = []
    for modulation in ("sft", "sft_dec"):
        tiled(runtime(stirred(modulation=modulation)), picture(40, 60), 20, lambda *now: told.append(now))
    assert told == [(done, 12) for done in range(1, 13)] + [(done, 18) for done in range(1, 19)]


@given(rows=st.integers(1, 99), columns=st.integers(1, 99), side=st.integers(1, 120))
def test_tiles_cover_each_feature_once_and_are_nearly_equal(rows, columns, side):
    counted = np.zeros((rows, columns), int)
    boxes = tile_boxes(rows, columns, side)
    for top, bottom, left, right in boxes:
        counted[top:bottom, left:right] += 1
    heights = {box.bottom - box.top for box in boxes}
    assert (counted == 1).all() and max(heights) <= side and max(heights) - min(heights) <= 1


@cache
def paper(precision):
    return runtime(build_network(NetworkConfig.of_size("paper")), precision)


def blank(megapixels):
    return np.broadcast_to(np.uint8(0), (int(megapixels * 1e6) // 4000, 4000, 3))


def test_more_memory_gives_larger_tiles_and_what_is_given_is_kept():
    tiles = [choose_tile(paper("fp32"), blank(12), memory) for memory in (0.8, 1.5, 2, 3, 64)]
    assert tiles == sorted(tiles) and len(set(tiles)) == 5 and tiles[-1] == LARGEST
    for memory, tile in zip((0.8, 1.5, 2, 3), tiles, strict=False):
        assert predict_bytes(paper("fp32"), blank(12), tile) <= memory * GIB


def test_by_default_the_papers_network_gets_tiles_that_are_mostly_not_halo():
    """Twelve and fifty megapixels within 2 GiB: at most 1.4 times the pixels are computed."""
    for precision, megapixels in (("fp32", 12), ("bf16", 12), ("fp32", 50), ("bf16", 50)):
        tile = choose_tile(paper(precision), blank(megapixels))
        assert predict_bytes(paper(precision), blank(megapixels), tile) <= 2 * GIB
        assert ((tile + 2 * paper(precision).reach.deblurring) / tile) ** 2 < 1.4


def test_too_little_memory_is_refused_with_what_would_do():
    with pytest.raises(ValueError, match=r"memory: found 0.3 GiB, expected 0.\d+ or more"):
        choose_tile(paper("fp32"), blank(12), 0.3)
    assert choose_tile(paper("fp32"), blank(400)) == 256


def test_tiles_are_those_of_which_least_is_computed_while_their_maps_are_kept_in_memory():
    """The allocator keeps blocks below 32 MiB; above them every map of features comes from the system page by page."""
    network = build_network(NetworkConfig.of_size("small"))
    for precision, values in (("bf16", 2), ("fp32", 4)):
        computing = runtime(network, precision)
        tile = choose_tile(computing, blank(12))
        boxes = [box.grown(computing.reach.deblurring, 1500, 2000) for box in tile_boxes(1500, 2000, tile // 2)]
        areas = [(box.bottom - box.top) * (box.right - box.left) for box in boxes]
        assert max(areas) * network.config.features * values < 32 << 20
        assert sum(areas) < 1.2 * 1500 * 2000 and predict_bytes(computing, blank(12), tile) < GIB
    computing.map_bytes = 0.0  # another allocator's
    assert choose_tile(computing, blank(12)) == LARGEST
