import numpy as np
import pytest
from scipy.stats import t as student

from sftdec.experiments.tables.pairing import paired_difference
from tests.experiments.tables.planted import LEVELS, judged_rows


def compare(first, second, measure="psnr", level=0.95):
    return paired_difference(first, second, measure, level, 50_000)


def test_scenes_that_differ_by_decibels_widen_no_interval_since_each_is_paired_with_itself():
    pair = compare(judged_rows("ifan", gain=0.3), judged_rows("sft_dec"))
    assert pair.mean == pytest.approx(0.3) and (pair.scenes, pair.photos, pair.better) == (6, 3, 6)
    assert pair.interval.low == pytest.approx(0.3) and pair.interval.high == pytest.approx(0.3)


def test_the_order_of_the_rows_doesnt_matter():
    gains = [0.1, 0.5, 0.3, -0.2, 0.2, 0.4]
    mine, other = judged_rows("ifan", gains=gains), judged_rows("sft_dec")
    assert compare(mine, other) == compare(mine.iloc[::-1], other.sample(frac=1, random_state=1))


def test_the_interval_is_students_of_what_the_photos_add_to_the_mean():
    gains = np.array([0.1, 0.5, 0.3, -0.2, 0.2, 0.4])  # of photos with 3, 2 and 1 scenes
    mean = gains.mean()
    by_photo = [mean + 3 / 6 * each for each in ((gains[:3] - mean).sum(), (gains[3:5] - mean).sum(), gains[5] - mean)]
    reach = student.ppf(0.975, 2) * np.std(by_photo, ddof=1) / np.sqrt(3)
    pair = compare(judged_rows("ifan", gains=gains), judged_rows("sft_dec"))
    assert pair.mean == pytest.approx(mean) and pair.better == 5
    assert (pair.interval.low, pair.interval.high) == pytest.approx((mean - reach, mean + reach), rel=0.03)


def test_scenes_of_one_photo_that_agree_are_no_more_than_one_witness():
    """Six independent scenes would give t of 5 degrees of freedom, an interval less than half as wide."""
    gains = [0.3, 0.3, 0.3, 0.1, 0.1, -0.1]
    interval = compare(judged_rows("ifan", gains=gains), judged_rows("sft_dec")).interval
    alone = student.ppf(0.975, 5) * np.std(gains, ddof=1) / np.sqrt(6)
    assert interval.high - interval.low > 4 * alone


def test_of_a_map_the_smaller_error_is_the_better_one():
    assert compare(judged_rows("dme_net", mae=0.05), judged_rows("sft_dec", mae=0.06), "mae").better == 6


def test_one_photo_has_no_interval():
    mine, other = (judged_rows(name, gain=gain).query("photo == 'cup'") for name, gain in (("ifan", 1.0), ("b", 0.0)))
    pair = compare(mine, other)
    assert pair.interval is None and pair.mean == pytest.approx(1.0) and (pair.scenes, pair.photos) == (3, 1)


def test_methods_judged_on_other_scenes_are_not_compared():
    with pytest.raises(ValueError, match="found 5 and 6 rows, not of the same scenes"):
        compare(judged_rows("ifan").iloc[1:], judged_rows("sft_dec"))
    broken = judged_rows("ifan", gains=[np.nan, *LEVELS[1:]])
    with pytest.raises(ValueError, match="psnr of sample/sample/cup_0 is not a finite number"):
        compare(broken, judged_rows("sft_dec"))
