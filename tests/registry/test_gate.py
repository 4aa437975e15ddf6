"""The gate."""

import pytest

from sftdec.registry import (
    Decision,
    decide,
)
from tests.registry.results import table


def test_the_first_version_is_promoted_if_it_beats_the_blurred_input() -> None:
    decision = decide(table([21.0, 22.0, 20.0]), None, 0.5)
    assert decision.promote
    assert decision.figures["gain"] == pytest.approx(1.0)
    assert decision.figures["blurred_psnr"] == 20.0
    assert "+1.000 dB against the blurred input" in decision.reason


def test_the_first_version_is_refused_if_it_is_no_better_than_doing_nothing() -> None:
    decision = decide(table([20.0, 20.0, 20.0]), None, 0.0)
    assert not decision.promote
    assert "not more than" in decision.reason
    assert not decide(table([19.0, 20.9, 20.0]), None, 0.0).promote


def test_a_challenger_must_beat_the_champion_by_more_than_the_margin() -> None:
    serving = table([25.0, 26.0, 27.0])
    assert decide(table([25.2, 26.2, 27.2]), serving, 0.1).promote
    assert not decide(table([25.05, 26.05, 27.05]), serving, 0.1).promote
    assert not decide(serving, serving, 0.0).promote
    assert not decide(table([24.0, 26.0, 27.0]), serving, 0.0).promote
    assert decide(table([24.0, 26.0, 27.0]), serving, -1.0).promote


def test_the_order_of_the_scenes_does_not_matter() -> None:
    serving = table([25.0, 26.0, 27.0])
    assert decide(table([27.1, 26.1, 25.1], scenes="cba"), serving, 0.0).promote


def test_other_scenes_are_refused_however_good_they_look() -> None:
    decision = decide(table([40.0, 40.0, 40.0], scenes="abd"), table([25.0, 26.0, 27.0]), 0.0)
    assert not decision.promote
    assert "1 only in the challenger's table (as sample/d)" in decision.reason
    assert "1 only in the champion's (as sample/c)" in decision.reason
    assert not decide(table([40.0, 40.0]), table([25.0, 26.0, 27.0]), 0.0).promote
    assert "twice" in decide(table([40.0, 40.0, 40.0], scenes="aab"), None, 0.0).reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    for challenger, serving in (
        (table([40.0, bad, 40.0]), None),
        (table([40.0, 40.0, 40.0], [20.0, bad, 20.0]), None),
        (table([40.0, bad, 40.0]), table([25.0, 26.0, 27.0])),
        (table([40.0, 40.0, 40.0]), table([25.0, bad, 27.0])),
    ):
        decision = decide(challenger, serving, 0.0)
        assert not decision.promote and "1 PSNR values are NaN or infinite" in decision.reason


def test_an_empty_table_is_refused_and_a_missing_column_is_an_error() -> None:
    assert decide(table([]), None, 0.0) == Decision(False, "there are no images to judge by", {"images": 0.0})
    with pytest.raises(ValueError, match=r"\['psnr_blurred'\] are missing"):
        decide(table([1.0]).drop(columns="psnr_blurred"), None, 0.0)
