"""The gate."""

import numpy as np
import pytest

from sftdec.evaluation.statistics import paired_interval
from sftdec.registry import Decision, decide
from tests.registry.results import rules, table

BLURRED = [20.0] * 12
SERVING = [25.0 + 0.3 * number for number in range(12)]
SPREAD = [0.06, -0.02, 0.01, -0.05, 0.04, 0.0, -0.01, 0.03, -0.04, 0.02, -0.06, 0.02]  # dB, their mean is 0


def better_by(gain: float, spread: float = 1.0) -> list[float]:
    return [psnr + gain + spread * noise for psnr, noise in zip(SERVING, SPREAD, strict=True)]


def test_the_first_version_is_promoted_if_it_beats_the_blurred_input() -> None:
    decision = decide(table(SERVING, BLURRED), None, rules(0.5))
    assert decision.promote
    assert decision.figures["gain"] == pytest.approx(np.mean(SERVING) - 20)
    assert decision.figures["blurred_psnr"] == 20.0
    assert decision.figures["gain_low"] > 0.5 and decision.figures["improved"] == 12
    assert "dB against the blurred input" in decision.reason and "above the +0.500 dB" in decision.reason


def test_the_first_version_is_refused_if_it_is_no_better_than_doing_nothing() -> None:
    decision = decide(table(BLURRED, BLURRED), None, rules())
    assert not decision.promote
    assert "not above" in decision.reason
    assert not decide(table([20.0 + noise for noise in SPREAD], BLURRED), None, rules()).promote
    assert "SSIM -0.1000 is lower" in decide(table(SERVING, BLURRED, ssim=0.7), None, rules()).reason


def test_a_challenger_must_be_better_by_more_than_the_margin_beyond_doubt() -> None:
    serving = table(SERVING)
    assert decide(table(better_by(0.2)), serving, rules(0.1)).promote
    assert not decide(table(better_by(0.12)), serving, rules(0.1)).promote  # its interval reaches below
    assert not decide(table(better_by(0.05, spread=0)), serving, rules(0.1)).promote
    assert decide(table(better_by(-0.05, spread=0)), serving, rules(-0.1)).promote


def test_planted_challengers_are_told_apart() -> None:
    serving = table(SERVING)
    assert decide(table(better_by(0.1)), serving, rules()).promote
    for name, planted in {
        "worse": better_by(-0.1),
        "equal": SERVING,
        "equal on average": better_by(0.0),
        "lucky on three": [p + (5.0 if n < 3 else 0.0) for n, p in enumerate(SERVING)],
        "lucky on three, worse elsewhere": [p + (1.0 if n < 3 else -0.02) for n, p in enumerate(SERVING)],
        "lucky on one": [p + (9.0 if n == 5 else 0.01 * n) for n, p in enumerate(SERVING)],
    }.items():
        decision = decide(table(planted), serving, rules(max_loss=1.0))
        assert not decision.promote and "not above" in decision.reason, name


def test_a_data_set_that_is_ruined_outweighs_the_average() -> None:
    sets = ["sample"] * 10 + ["realistic"] * 2
    ruined = [psnr + (1.5 if name == "sample" else -0.2) for psnr, name in zip(SERVING, sets, strict=True)]
    serving = table(SERVING, datasets=sets)
    decision = decide(table(ruined, datasets=sets), serving, rules(max_loss=0.1))
    assert not decision.promote
    assert decision.reason == "data set realistic -0.200 dB, at most 0.100 dB may be lost"
    assert decision.figures["gain.realistic"] == -0.2 and decision.figures["gain_low"] > 0
    assert decide(table(ruined, datasets=sets), serving, rules(max_loss=0.2)).promote


def test_a_lower_ssim_is_refused_and_an_equal_one_is_not() -> None:
    serving, better = table(SERVING, ssim=0.8), better_by(0.2)
    assert decide(table(better, ssim=[0.7, 0.9, *[0.8] * 10]), serving, rules()).promote
    decision = decide(table(better, ssim=0.79), serving, rules())
    assert not decision.promote and decision.reason == "mean SSIM -0.0100 is lower"


def test_the_order_of_the_scenes_does_not_matter() -> None:
    decision = decide(table(better_by(0.2)).iloc[::-1], table(SERVING), rules())
    assert decision == decide(table(better_by(0.2)), table(SERVING), rules()) and decision.promote


def test_other_scenes_are_refused_however_good_they_look() -> None:
    serving = table([25.0, 26.0, 27.0], scenes="abc")
    decision = decide(table([40.0, 40.0, 40.0], scenes="abd"), serving, rules())
    assert not decision.promote
    assert "1 only in the challenger's table (as sample/d)" in decision.reason
    assert "1 only in the champion's (as sample/c)" in decision.reason
    assert not decide(table([40.0, 40.0], scenes="ab"), serving, rules()).promote
    assert "twice" in decide(table([40.0, 40.0, 40.0], scenes="aab"), None, rules()).reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    for challenger, serving in (
        (table([40.0, bad, 40.0]), None),
        (table([40.0, 40.0, 40.0], [20.0, bad, 20.0]), None),
        (table([40.0, bad, 40.0]), table([25.0, 26.0, 27.0])),
        (table([40.0, 40.0, 40.0]), table([25.0, bad, 27.0])),
        (table([40.0, 40.0, 40.0], ssim=[0.9, bad, 0.9]), table([25.0, 26.0, 27.0])),
    ):
        decision = decide(challenger, serving, rules())
        assert not decision.promote and "1 PSNR or SSIM values are NaN or infinite" in decision.reason


def test_a_photo_counts_once_however_many_images_it_has() -> None:
    """Three photos, four renderings each: a gain that twelve would show and three don't."""
    gains = [0.3, 0.0, 0.5]
    each = table([20.0 + gain for gain in gains for _ in range(4)])
    serving = table([20.0] * 12)
    assert decide(each, serving, rules()).promote
    of_photos = decide(each.assign(photo=[name for name in "abc" for _ in range(4)]), serving, rules())
    assert not of_photos.promote and "on 3 photos" in of_photos.reason
    assert (of_photos.figures["photos"], of_photos.figures["images"], of_photos.figures["improved"]) == (3, 12, 2)
    alone = decide(each.assign(photo="a"), serving, rules())
    assert "there is one photo (12 of its images)" in alone.reason


def test_a_photo_with_many_images_weighs_no_more_than_one_with_few() -> None:
    challenger = table([21.0, 20.0, 20.0, 20.0]).assign(photo=["a", "b", "b", "b"])
    assert decide(challenger, table([20.0] * 4), rules()).figures["gain"] == pytest.approx(0.5)


def test_too_few_images_are_refused_and_a_missing_column_is_an_error() -> None:
    reason = "there are no photos to judge by, and a gain's interval needs two or more"
    assert decide(table([]), None, rules()) == Decision(False, reason, {"images": 0.0})
    assert "there is one photo (1 of its images)" in decide(table([40.0]), table([20.0]), rules()).reason
    with pytest.raises(ValueError, match=r"\['psnr_blurred'\] are missing"):
        decide(table([1.0]).drop(columns="psnr_blurred"), None, rules())
    with pytest.raises(ValueError, match=r"\['ssim'\] are missing"):
        decide(table([1.0]), table([1.0]).drop(columns="ssim"), rules())


@pytest.mark.parametrize("spread", ["normal", "heavy-tailed", "rare great loss"])
def test_of_a_thousand_challengers_that_are_no_better_at_most_25_get_in_and_none_that_is_worse(spread: str) -> None:
    generator = np.random.default_rng(1)
    drawn = {
        "normal": generator.standard_normal((1000, 12)),
        "heavy-tailed": generator.standard_t(3, (1000, 12)) / np.sqrt(3),
        "rare great loss": 1 - generator.exponential(size=(1000, 12)),
    }[spread]
    gains = 0.2 * drawn  # dB
    level = rules().level
    lows = np.array([paired_interval(row, level, replicates=1000).low for row in gains])
    assert (lows > 0).sum() <= 25
    if spread != "rare great loss":
        assert (lows - 0.1 > 0).sum() == 0  # every photo 0.1 dB worse moves the interval by as much


def test_the_interval_follows_a_shift_and_a_scale_and_has_no_width_where_all_are_equal() -> None:
    gains = np.array(SPREAD)
    plain = paired_interval(gains, 0.99)
    moved = paired_interval(2 * gains + 1, 0.99)
    assert moved.low == pytest.approx(2 * plain.low + 1) and moved.high == pytest.approx(2 * plain.high + 1)
    assert plain.low < paired_interval(gains, 0.9).low < 0 < plain.high
    equal = paired_interval(np.array([0.1 + 0.2, 0.3, 0.3]), 0.99)
    assert (equal.low, equal.mean, equal.high) == pytest.approx((0.3, 0.3, 0.3))
    with pytest.raises(ValueError, match="found 1 paired differences"):
        paired_interval(np.array([1.0]), 0.99)
