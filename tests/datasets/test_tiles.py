"""Tiles of a large picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sftdec.datasets.tiles import Tiles


@given(height=st.integers(1, 300), width=st.integers(1, 300), overlap=st.integers(8, 40), times=st.floats(8, 60))
def test_tiles_cover_a_picture_within_their_bounds_and_count_for_one_together(height, width, overlap, times):
    pixels = round(times * overlap * overlap)
    tiles = Tiles((height, width), pixels, overlap)
    total, seen = np.zeros((height, width)), 0
    for place in tiles:
        whole = np.zeros((height, width))[place]
        assert 0 < whole.size <= max(pixels, 4 * overlap * overlap)
        total[place] += tiles.weight(place)
        seen += 1
    assert total.min() > 0.2
    samples = list(tiles.samples(5))
    if seen == 1:
        assert np.array_equal(total, np.ones((height, width))) and samples == list(tiles)
    else:
        assert all(np.zeros((height, width))[place].size in range(1, 26) for place in samples)


def test_neighbours_give_way_to_each_other_evenly():
    tiles = Tiles((40, 300), 40 * 110, 10)
    first, second = list(tiles)[:2]
    shared = first[1].stop - second[1].start
    total = tiles.weight(first)[:, -shared:] + tiles.weight(second)[:, :shared]
    assert shared >= 10 and np.abs(total - 1).max() < 1.01
