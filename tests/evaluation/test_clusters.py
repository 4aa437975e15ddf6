"""The interval of differences in clusters: what it is, and that it covers."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.intervals import coverage, half_width
from sftdec.evaluation.clusters import Estimate, clustered, holm


def test_of_one_training_it_is_students_t_over_photos_means():
    generator = np.random.default_rng(1)
    photos, values = np.repeat(np.arange(6), 4), generator.normal(0.2, 1, 24)
    found, means = clustered(values, photos, np.zeros(24)).interval(0.9), values.reshape(6, 4).mean(1)
    expected = stats.t.interval(0.9, 5, means.mean(), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-5)


def test_folds_are_the_clusters_where_there_are_several():
    values = np.repeat([1.0, 2.0, 6.0], 8)
    found = clustered(values, np.repeat(np.arange(6), 4), np.repeat(["a", "b", "c"], 8))
    assert (found.mean, found.degrees) == (3.0, 2.0)
    assert found.error == pytest.approx(stats.sem([1, 2, 6]))


def test_folds_of_other_sizes_have_fewer_degrees_and_an_unbiased_variance():
    generator, folds = np.random.default_rng(2), np.repeat([0, 1, 2], [2, 4, 8])
    found = [clustered(generator.normal(size=3)[folds], folds, folds) for _ in range(3000)]
    assert 1 < found[0].degrees < 2
    assert np.mean([each.error**2 for each in found]) == pytest.approx(np.var([each.mean for each in found]), rel=0.1)


@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0])
def test_it_holds_the_truth_as_often_as_it_says(spread):
    # 1,500 draws: 1.6 points are nearly three standard errors; benchmarks/intervals.py draws more often
    assert coverage((8, 8, 8), spread, "normal", 1500) == pytest.approx(0.95, abs=0.016)


def test_the_expected_half_width_is_what_comes_of_simulated_differences():
    assert half_width(24, 3, 0.0, 0.1) == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(24))
    assert half_width(24, 6, 0.02, 0.1) < half_width(24, 3, 0.02, 0.1)


def test_a_chance_is_of_one_side_and_equal_tables_have_none():
    found = Estimate(0.3, 0.1, 11.0)
    assert found.chance() == pytest.approx(stats.t.sf(3, 11)) == pytest.approx(1 - found.chance(-1))
    assert Estimate(0.0, 0.0, 2.0).chance() == Estimate(0.0, 0.0, 2.0).chance(-1) == 1.0
    assert (Estimate(0.1, 0.0, 2.0).chance(), Estimate(0.1, 0.0, 2.0).chance(-1)) == (0.0, 1.0)


def test_holm_s_p_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []


def test_what_gives_no_interval_is_refused():
    with pytest.raises(ValueError, match="found 1 photo"):
        clustered([1.0, 2.0], ["a", "a"], [0, 0])
    with pytest.raises(ValueError, match="aren't finite"):
        clustered([1.0, np.nan], ["a", "b"], [0, 0])
    with pytest.raises(ValueError, match="lengths that differ"):
        clustered([1.0, 2.0], ["a"], [0, 0])
