"""How sure a mean gain is: an interval that is honest for a dozen photos."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DECIMALS = 6  # of the measures in a per-image table; what is finer is rounding
_BLOCK = 1 << 20  # figures resampled at a time

Verdict = Literal["holds", "doesn't hold", "can't be told"]


@dataclass(frozen=True)
class Interval:
    """A mean difference and the interval around it."""

    mean: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def verdict(self, sign: int = 1) -> Verdict:
        """Whether a difference of this ``sign`` (1 or -1) holds: the interval on one side of 0, on the other, on both.

        An interval that ends in 0, as equal tables give, tells nothing.
        """
        low, high = sorted((sign * self.low, sign * self.high))
        if low > 0:
            return "holds"
        return "doesn't hold" if high < 0 else "can't be told"


def paired_interval(differences: NDArray[np.float64], level: float, replicates: int = 10_000) -> Interval:
    """The two-sided interval for the mean of paired differences (one a photo, two or more), from two bootstraps.

    It reaches as far as the further of

    - the studentized bootstrap (bootstrap-t, Efron 1981): photos are resampled with replacement, and the quantiles
      are those of (resampled mean - mean) / its own standard error. It sees skew: many small gains and a rare great
      loss make the low end lower.
    - the parametric bootstrap of a mean with unknown spread, which is Student's t of n - 1. It doesn't follow skew
      the other way: three lucky photos of twelve and nothing elsewhere never give more than t = 1.9, however great
      the luck, while bootstrap-t takes such luck for a property of photos.

    How often each lets a challenger in that is no better is measured in ``benchmarks/gate.py``. At level 0.99, which
    should be 5 of 1,000, percentile and BCa intervals let in 19 to 36 with twelve photos and symmetric gains, since
    they take the spread of twelve for known; this one 1 to 7, and 15 where rare great losses make the gains skew.
    ``clustered`` is for several trainings; a registered version is one. Photos count as independent; pictures of one
    scene are less than that. Of challengers that differ from the champion as table 3's networks did from one another by
    their seed, 1, 3 and 3 of 1,000 got in with 6, 12 and 50 photos.
    No method sees a loss so rare that none of the photos shows it: with lognormal losses 44 get in.

    The same differences, in any order, give the same interval. Equal differences give an interval of no width.

    Raises:
        ValueError: fewer than two differences.
    """
    from scipy.stats import t as student

    values: NDArray[np.float64] = np.sort(np.asarray(differences, dtype=np.float64).round(DECIMALS), axis=None)
    if len(values) < 2:
        raise ValueError(f"found {values.size} paired differences, expected two or more")
    count, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(count)
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean)
    tail = (1 - level) / 2
    ratios = _studentized(values, replicates)
    # the ratio's upper tail gives the low end, and the other way round
    low, high = (np.quantile(ratios, [tail, 1 - tail])) if len(ratios) else (0.0, 0.0)
    widest = float(student.ppf(1 - tail, count - 1))
    return Interval(mean, mean - error * max(float(high), widest), mean + error * max(-float(low), widest))


def _studentized(values: NDArray[np.float64], replicates: int) -> NDArray[np.float64]:
    """(Resampled mean - mean) / standard error of the resample; those of a single photo, without spread, left out."""
    generator = np.random.default_rng(0)
    count, mean = len(values), values.mean()
    ratios = []
    for start in range(0, replicates, max(1, _BLOCK // count)):
        rows = min(replicates - start, max(1, _BLOCK // count))
        resampled = values[generator.integers(0, count, (rows, count))]
        errors = resampled.std(axis=1, ddof=1) / np.sqrt(count)
        spread = np.ptp(resampled, axis=1) > 0
        ratios.append((resampled.mean(axis=1)[spread] - mean) / errors[spread])
    return np.concatenate(ratios)
