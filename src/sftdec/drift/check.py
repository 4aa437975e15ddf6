"""The decision: whether two samples of photos differ by more than chance, and by enough to matter.

Each statistic is tested twice: Kolmogorov and Smirnov's two-sample test sees that values moved, the population
stability index (PSI, the symmetric Kullback-Leibler divergence over bins) that they spread or gathered. A PSI of
few photos is far from 0 by chance alone, so it is judged by its own distribution under permutation, and its mean
there is taken off before it is called large.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.drift.statistics import STATISTICS, DriftError

BINS = 10
PER_BIN = 5  # photos of the smaller sample that a bin expects, at the least
PERMUTATIONS = 1999
TESTS = 2  # a statistic


@dataclass(frozen=True)
class DriftLimits:
    """When to alarm.

    ``level``: the chance of an alarm at photos like the training's, over all statistics and tests together.
    ``min_psi``: PSI beyond what chance gives, below which a difference, however certain, doesn't matter
    (0.1 is commonly called a moderate change, 0.25 a large one). ``min_photos``: fewer say nothing.
    """

    level: float = 0.05
    min_psi: float = 0.05
    min_photos: int = 30

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise DriftError(f"level: found {self.level}, expected a share between 0 and 1")
        if not self.min_psi >= 0 or self.min_photos < 2:
            raise DriftError(
                f"min_psi and min_photos: found {self.min_psi} and {self.min_photos}, expected 0 or more and 2 or more"
            )


@dataclass(frozen=True)
class DriftReport:
    """What a check found.

    ``table`` has a row a statistic: reference and incoming mean, shift (in the reference's standard deviations),
    psi, psi_by_chance, psi_p, ks, ks_p, drifted. ``left_out`` says which photos have no figures, and why.
    """

    alarm: bool
    reason: str
    table: pd.DataFrame
    photos: int
    reference_photos: int
    left_out: tuple[str, ...] = field(default=())


def check_drift(
    reference: pd.DataFrame,
    incoming: pd.DataFrame,
    limits: DriftLimits = DriftLimits(),
    left_out: tuple[str, ...] = (),
) -> DriftReport:
    """Compare incoming photos with the reference: a row a photo each, the columns of ``STATISTICS``.

    A statistic has drifted if one of its tests says so at ``level`` shared out among all tests (Bonferroni), and
    its PSI beyond chance is ``min_psi`` or more. One is enough for an alarm.

    Raises:
        DriftError: a column is missing, a value isn't finite, or the reference has fewer than ``min_photos``.
    """
    for name, sample in (("reference", reference), ("incoming", incoming)):
        _refuse_unusable(name, sample)
    if len(reference) < limits.min_photos:
        raise DriftError(f"reference: found {len(reference)} photos, expected {limits.min_photos} or more")
    if len(incoming) < limits.min_photos:
        few = f"{len(incoming)} photos, fewer than the {limits.min_photos} that a check needs"
        empty = pd.DataFrame(columns=["statistic", *_COLUMNS])
        return DriftReport(False, few, empty, len(incoming), len(reference), left_out)
    generator = np.random.default_rng(0)  # the same photos give the same report
    threshold = limits.level / (TESTS * len(STATISTICS))
    rows: list[dict[str, object]] = []
    for name in STATISTICS:
        found = _compare(reference[name].to_numpy(float), incoming[name].to_numpy(float), generator)
        certain = min(found["psi_p"], found["ks_p"]) <= threshold
        large = found["psi"] - found["psi_by_chance"] >= limits.min_psi
        rows.append({"statistic": name, **found, "drifted": certain and large})
    table = pd.DataFrame(rows)
    drifted = table[table["drifted"].astype(bool)]
    reason = "; ".join(_sentence(row) for row in drifted.to_dict("records"))
    alarm = bool(reason)
    if not alarm:
        reason = f"{len(incoming)} photos look like the {len(reference)} of the training"
    return DriftReport(alarm, reason, table, len(incoming), len(reference), left_out)


_COLUMNS = ("reference_mean", "incoming_mean", "shift", "psi", "psi_by_chance", "psi_p", "ks", "ks_p", "drifted")


def _refuse_unusable(name: str, sample: pd.DataFrame) -> None:
    if missing := [column for column in STATISTICS if column not in sample.columns]:
        raise DriftError(f"{name}: found the columns {list(sample.columns)}, expected {', '.join(missing)} too")
    if not np.isfinite(sample[list(STATISTICS)].to_numpy(float)).all():
        raise DriftError(f"{name}: found values that are NaN or infinite; leave those photos out")


def _compare(
    reference: NDArray[np.float64], incoming: NDArray[np.float64], generator: np.random.Generator
) -> dict[str, float]:
    """The figures of one statistic."""
    from scipy.stats import ks_2samp

    spread = float(reference.std())
    shift = float(incoming.mean() - reference.mean())
    test = ks_2samp(reference, incoming)
    return {
        "reference_mean": float(reference.mean()),
        "incoming_mean": float(incoming.mean()),
        "shift": shift / spread if spread > 0 else (0.0 if shift == 0 else float(np.copysign(np.inf, shift))),
        **stability_index(reference, incoming, generator),
        "ks": float(test.statistic),
        "ks_p": float(test.pvalue),
    }


def stability_index(
    reference: NDArray[np.float64],
    incoming: NDArray[np.float64],
    generator: np.random.Generator,
) -> dict[str, float]:
    """PSI of two samples (1-d each), its mean under the null hypothesis, and the p-value of its permutation test.

    Bins hold equally many of both samples together. A permutation of who is whose leaves the bins as they are and
    draws their counts from the multivariate hypergeometric distribution: that is sampled, exactly and cheaply.
    """
    n, m = len(incoming), len(reference)
    bins = int(np.clip(min(n, m) // PER_BIN, 2, BINS))
    pooled = np.concatenate([reference, incoming])
    inner = np.unique(np.quantile(pooled, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = len(inner) + 1
    total = np.bincount(np.searchsorted(inner, pooled, side="left"), minlength=cells)
    found = np.bincount(np.searchsorted(inner, incoming, side="left"), minlength=cells)
    drawn = generator.multivariate_hypergeometric(total, n, size=PERMUTATIONS, method="marginals")
    psi = float(_psi(found[None], total, n, m)[0])
    chance = _psi(drawn, total, n, m)
    at_least = int(np.count_nonzero(chance >= psi - 1e-12))
    return {"psi": psi, "psi_by_chance": float(chance.mean()), "psi_p": (1 + at_least) / (1 + PERMUTATIONS)}


def _psi(incoming: NDArray[np.int64], total: NDArray[np.int64], n: int, m: int) -> NDArray[np.float64]:
    """PSI of each row of counts; half a photo is added to each bin, so that an empty one is no infinity."""
    half = 0.5 * incoming.shape[1]
    shares = (incoming + 0.5) / (n + half)
    expected = (total - incoming + 0.5) / (m + half)
    return np.asarray(((shares - expected) * np.log(shares / expected)).sum(axis=1))


def _sentence(row: Mapping[Hashable, Any]) -> str:
    name, unit = str(row["statistic"]), STATISTICS[str(row["statistic"])]
    return (
        f"{name} drifted: mean {row['incoming_mean']:.4g} against the training's {row['reference_mean']:.4g} ({unit}), "
        f"{row['shift']:+.2f} standard deviations; PSI {row['psi']:.2f} ({row['psi_by_chance']:.2f} by chance), "
        f"KS p = {row['ks_p']:.2g}"
    )
