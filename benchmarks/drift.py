"""How often the drift check alarms: at photos of the training's own distribution, and at changed ones.

`python benchmarks/drift.py [REFERENCE] [--runs N]` prints the share of checks that alarm, in percent.
REFERENCE is build/drift_reference.parquet (made by `sftdec drift`) or any table of the four statistics; left
out, skewed figures that depend on each other stand in for it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.drift import STATISTICS, check_drift

NAMES = list(STATISTICS)
COUNTS = (50, 100, 200, 1000)
PHOTOS = 200  # of a changed sample
Sample = Callable[[int, np.random.Generator], pd.DataFrame]


def stand_in(count: int, generator: np.random.Generator) -> pd.DataFrame:
    """Skewed, correlated figures, as those of photos are."""
    covariance = np.full((4, 4), 0.4) + 0.6 * np.eye(4)
    normal = generator.multivariate_normal(np.zeros(4), covariance, count)
    return pd.DataFrame(np.exp(0.6 * normal), columns=NAMES)


def resampled(table: pd.DataFrame) -> Sample:
    """A sample drawn from a table's rows, each as often as chance will."""
    return lambda count, generator: table.iloc[generator.integers(0, len(table), count)].reset_index(drop=True)


def changed(sample: Sample, statistic: str, shift: float = 0.0, widened: float = 1.0) -> Sample:
    """A sample of which one statistic is shifted by ``shift`` of its standard deviations, or widened."""
    large = sample(100_000, np.random.default_rng(0))[statistic]
    middle, spread = float(large.mean()), float(large.std())

    def drawn(count: int, generator: np.random.Generator) -> pd.DataFrame:
        found = sample(count, generator)
        found[statistic] = middle + widened * (found[statistic] - middle) + shift * spread
        return found

    return drawn


def share_of_alarms(reference: Sample, size: int, incoming: Sample, count: int, runs: int) -> float:
    """The share of ``runs`` checks that alarm at ``count`` photos, against a reference of ``size``."""
    generators = map(np.random.default_rng, range(runs))
    return sum(check_drift(reference(size, one), incoming(count, one)).alarm for one in generators) / runs


def share_of_halves(table: pd.DataFrame, runs: int) -> float:
    """The share of ``runs`` checks that alarm at one half of a table against the other half: photos never seen."""
    alarms = 0
    for run in range(runs):
        order = np.random.default_rng(run).permutation(len(table))
        one, other = np.array_split(order, 2)
        alarms += check_drift(table.iloc[one], table.iloc[other]).alarm
    return alarms / runs


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    table = pd.read_parquet(options.reference)[NAMES] if options.reference else None
    size = 480 if table is None else len(table)
    sample = stand_in if table is None else resampled(table)
    # a table stands for itself; what is simulated is drawn anew each time
    reference: Sample = stand_in if table is None else (lambda count, generator: table)

    def show(case: str, share: float) -> None:
        print(f"{case:<44}{100 * share:6.1f} %", flush=True)

    print(f"alarms in {options.runs} checks against {size} photos")
    for count in COUNTS:
        show(f"{count} photos of the same distribution", share_of_alarms(reference, size, sample, count, options.runs))
    if table is not None:
        show("half of them against the other half", share_of_halves(table, options.runs))
    for name in NAMES:
        for label, change in (("+0.25 sd", 0.25), ("+0.5 sd", 0.5), ("-0.5 sd", -0.5)):
            drawn = changed(sample, name, shift=change)
            show(f"{PHOTOS} photos, {name} {label}", share_of_alarms(reference, size, drawn, PHOTOS, options.runs))
        wide = changed(sample, name, widened=2.0)
        show(f"{PHOTOS} photos, {name} twice as wide", share_of_alarms(reference, size, wide, PHOTOS, options.runs))


if __name__ == "__main__":
    main()
