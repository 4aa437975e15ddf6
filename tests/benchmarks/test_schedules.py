"""Benchmarks of whole trainings: what is kept isn't done again, and seconds are those of steps."""

import importlib
import math
from pathlib import Path

import pytest


@pytest.fixture
def benchmark(monkeypatch):
    """A benchmark by its name, as it finds the others that it shares code with."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # which they set
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module


def test_a_training_whose_row_is_kept_is_not_done_again(benchmark, tmp_path):
    kept = benchmark("schedules").kept
    out, trained = tmp_path / "rows.csv", []

    def row(seed):
        return kept(out, {"schedule": "short", "seed": seed}, lambda: trained.append(seed) or {"gain": 0.5 + seed})

    first = [row(0), row(1)]
    assert [row(1), row(0)] == first[::-1] and trained == [0, 1]
    assert kept(None, {"seed": 0}, lambda: {"gain": 2.0}) == {"seed": 0, "gain": 2.0}


def test_seconds_to_an_aim_are_those_of_steps_and_the_true_map_counts_for_the_map_alone(benchmark):
    module = benchmark("time_to_quality")
    course = module.Course(batch_size=8)
    course.report("s1", 50, {"patches_per_second": 8.0, "validation_psnr": 40.0, "validation_mae": 0.09})
    course.report("s2", 25, {"patches_per_second": 16.0})
    course.report("s2", 50, {"patches_per_second": 16.0, "validation_psnr": 29.55, "validation_mae": 0.07})
    row = course.row(blurred=29.0, constant=0.1)
    assert row["s to +0.5 dB"] == 75 and math.isnan(row["s to +0.7 dB"]) and row["s to the map"] == 75
    assert [module.cell(name, row[name]) for name in ("s to +0.7 dB", "s", "gain (dB)", "map's MAE")] == [
        "–", "75", "+0.55", "0.0700",
    ]  # fmt: skip
