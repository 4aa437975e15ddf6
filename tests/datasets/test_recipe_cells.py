"""What a cell of a recipe may hold, and what a scene draws from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.datasets.recipe_cells import NUMBERS, WORDS, drawn, drawn_number
from sftdec.datasets.recipes import _DRAWN, _LEFT_OUT
from sftdec.runtime import DataError

shares = st.floats(0, 1, exclude_max=True)
columns = st.sampled_from(sorted(set(NUMBERS) - {"count"}))


def span(key):
    """Some of what a column may hold."""
    bounds = NUMBERS[key]
    return max(bounds.low, 0.01 if bounds.above else -5), min(bounds.high, 500)


def test_every_column_has_its_words_or_its_numbers():
    assert set(_DRAWN) == (set(WORDS) | set(NUMBERS)) - {"split", "count"}


@given(key=columns, share=shares, data=st.data())
@settings(max_examples=100)
def test_a_range_is_drawn_within_its_bounds(key, share, data):
    low, high = span(key)
    kind = st.integers(int(np.ceil(low)), int(high)) if NUMBERS[key].whole else st.floats(low, high)
    ends = sorted((data.draw(kind), data.draw(kind)))
    if NUMBERS[key].zero and ends[0] == 0:
        return
    value = drawn_number(f"{ends[0]}..{ends[1]}", key, "table", share)
    assert ends[0] - 1e-9 <= value <= ends[1] * (1 + 1e-12) + 1e-9
    assert NUMBERS[key].allow(value) and (isinstance(value, int) or not NUMBERS[key].whole)


@given(share=shares)
def test_one_of_several_numbers_or_ranges_is_drawn_each_as_often(share):
    value = drawn_number("0|0|60..95", "jpeg", "table", share)
    assert (value == 0) if share < 2 / 3 - 1e-9 else (60 <= value <= 95 or share < 2 / 3 + 1e-9)
    assert drawn_number("0 | 1..2", "gamma", "table", share) == 0 or share >= 0.5


@given(text=st.sampled_from(["7", "0.5", "2..6", "0..1"]), share=shares)
def test_a_cell_with_one_option_draws_what_it_did_before_there_were_several(text, share):
    low, *high = (float(part) for part in text.split(".."))
    expected = low if not high else low * (high[0] / low) ** share if low > 0 else low + share * (high[0] - low)
    assert drawn_number(text, "softness_px", "table", share) == expected


@pytest.mark.parametrize(
    ("key", "cell", "message"),
    [
        ("jpeg", "101", "found 101, expected 1 to 100, or 0 alone: no JPEG; change this cell"),
        ("jpeg", "0..90", r"begins at 0, which means no JPEG; expected a range from 1 up; write 0\|1..90"),
        ("jpeg", "50.5", "expected a whole number; round it"),
        ("jpeg", "0|high", "found 'high', expected a number or a range"),
        ("subsampling", "4:1:0", "expected one of 4:4:4, 4:2:2, 4:2:0"),
        ("answer", "noisy", "expected one of clean, grain"),
        ("leaves", "green", "expected one of crowded, vibrant"),
        ("highlight", "0.5", "expected 1 to 16"),
        ("exposure", "0", r"expected 0\.25 to 4"),
        ("tone", "2", "expected 0 to 1"),
        ("denoise", "-1", "expected 0 to 16"),
        ("sharpen", "9", "expected 0 to 3"),
        ("sharpen_px", "0", r"expected 0\.3 to 3"),
        ("rim", "-1", r"expected -0\.9 to 4"),
        ("corner", "2", r"expected 0 to 1\.2"),
        ("fringe_px", "3", "expected -2 to 2"),
        ("cut_map", "2", "expected 0 to 1"),
        ("max_coc_px", "nan", "expected 0 or more"),
        ("exposure", "2..1", "is empty, expected lo..hi with lo <= hi; turn it round"),
        ("exposure", "1|2..1", "is empty"),
    ],
)
def test_a_cell_that_makes_no_sense_says_what_was_found_expected_and_the_mend(key, cell, message):
    with pytest.raises(DataError, match=rf"recipes\.csv row 3, {key}: .*{message}"):
        drawn(cell, key, "recipes.csv row 3", np.random.default_rng(0), ())


@pytest.mark.parametrize("key", sorted(_LEFT_OUT))
def test_what_a_column_that_is_left_out_means_is_one_of_its_values(key):
    value = drawn(_LEFT_OUT[key], key, "table", np.random.default_rng(0), ())
    assert value in WORDS[key] if key in WORDS else NUMBERS[key].allow(value)
