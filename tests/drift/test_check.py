"""The decision, on simulated figures of photos."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.drift import NAMES, changed, share_of_alarms, stand_in
from sftdec.drift.check import DriftLimits, check_drift, stability_index
from sftdec.drift.statistics import DriftError


def normal(count, generator):
    return pd.DataFrame(generator.standard_normal((count, len(NAMES))), columns=NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("sample", [stand_in, normal])
def test_the_same_distribution_alarms_in_at_most_one_run_of_20(sample):
    assert share_of_alarms(sample, 480, sample, 200, 200) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.5, -0.5])
@pytest.mark.parametrize("sample", [stand_in, normal])
def test_half_a_standard_deviation_alarms_with_200_photos(sample, shift):
    for name in NAMES:
        assert share_of_alarms(sample, 480, changed(sample, name, shift), 200, 12) == 1


def test_a_spread_that_doubles_alarms_although_the_mean_stays():
    assert share_of_alarms(normal, 480, changed(normal, "noise", widened=2.0), 200, 5) == 1


def test_the_report_says_which_statistic_moved_how_far_and_leaves_the_others_alone():
    generator = np.random.default_rng(0)
    report = check_drift(normal(480, generator), changed(normal, "brightness", 2.0)(200, generator))
    assert report.alarm and report.reason.startswith("brightness drifted: mean ")
    rows = report.table.set_index("statistic")
    assert rows["drifted"].to_dict() == {"sigma": False, "sharpness": False, "brightness": True, "noise": False}
    assert rows.loc["brightness", "shift"] == pytest.approx(2.0, abs=0.2)
    assert (report.photos, report.reference_photos) == (200, 480)


def test_a_difference_that_is_certain_but_tiny_is_no_alarm():
    generator = np.random.default_rng(1)
    reference, incoming = normal(20_000, generator), normal(20_000, generator) + 0.1
    report = check_drift(reference, incoming)
    assert report.table["ks_p"].max() < 1e-9 and not report.alarm
    assert check_drift(reference, incoming, DriftLimits(min_psi=0.0)).alarm


def test_psi_of_few_photos_is_large_by_chance_and_is_judged_by_that():
    generator = np.random.default_rng(2)
    found = [
        stability_index(generator.standard_normal(480), generator.standard_normal(30), generator) for _ in range(50)
    ]
    assert np.mean([each["psi"] for each in found]) > 0.1
    assert np.mean([each["psi_by_chance"] for each in found]) == pytest.approx(
        np.mean([each["psi"] for each in found]), rel=0.2
    )
    assert np.mean([each["psi_p"] < 0.5 for each in found]) == pytest.approx(0.5, abs=0.2)


def test_psi_of_equal_samples_is_zero_and_of_apart_ones_certain():
    values, generator = np.linspace(0, 1, 100), np.random.default_rng(0)
    assert stability_index(values, values, generator)["psi"] == pytest.approx(0)
    assert stability_index(values, values + 5, generator)["psi_p"] == pytest.approx(1 / 2000)


def test_a_statistic_without_any_spread_drifts_only_if_it_moves():
    generator = np.random.default_rng(3)
    reference, incoming = normal(100, generator), normal(60, generator)
    reference["noise"] = incoming["noise"] = 0.0
    assert not check_drift(reference, incoming).alarm
    incoming["noise"] = 1.0
    report = check_drift(reference, incoming)
    assert report.alarm and report.table.set_index("statistic").loc["noise", "shift"] == np.inf


def test_too_few_photos_decide_nothing():
    generator = np.random.default_rng(4)
    report = check_drift(normal(100, generator), normal(29, generator) + 5)
    assert not report.alarm and "29 photos, fewer than the 30" in report.reason and report.table.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="noise"), "incoming: found the columns .* expected noise"),
        (lambda table: table.assign(sigma=np.nan), "incoming: found values that are NaN"),
    ],
)
def test_figures_that_are_missing_or_not_numbers_are_refused(change, message):
    generator = np.random.default_rng(5)
    with pytest.raises(DriftError, match=message):
        check_drift(normal(100, generator), change(normal(100, generator)))


@pytest.mark.parametrize("limits", [{"level": 0.0}, {"level": 1.5}, {"min_psi": float("nan")}, {"min_photos": 1}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(DriftError, match="expected"):
        DriftLimits(**limits)
