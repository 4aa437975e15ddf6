"""Comparing trainings pair by pair: same seed, same scene; an interval for the difference, and what it says of a claim.

All of it works on one table, a row a scene and training: ``COLUMNS``, PSNR in dB.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.evaluation import Interval, Verdict

COLUMNS = ["budget", "variant", "stage", "seed", "dataset", "scene", "photo", "psnr", "ssim", "mae"]
SCENE = ["dataset", "scene"]

Measure = Literal["psnr", "ssim", "mae"]
FloatArray = NDArray[np.float64]


class Trained(NamedTuple):
    """A variant after a stage of training on a budget; its seeds taken together."""

    budget: str
    variant: str
    stage: str


@dataclass(frozen=True)
class Difference:
    """First minus second of one measure; ``interval`` is None where fewer than two common seeds were trained."""

    first: Trained
    second: Trained
    measure: Measure
    seeds: tuple[int, ...]
    scenes: int
    photos: int
    photos_above: int  # whose mean difference is above 0
    interval: Interval | None

    def verdict(self, sign: int = 1) -> Verdict:
        """The interval's verdict; without one it can't be told."""
        return "can't be told" if self.interval is None else self.interval.verdict(sign)


class MeanOfSeeds(NamedTuple):
    """Mean and standard deviation (None for one seed) over seeds of the means over scenes."""

    mean: float
    deviation: float | None
    seeds: int


def check_table(table: pd.DataFrame) -> None:
    """Refuse a table that can't be compared.

    Raises:
        ValueError: a column is missing, a scene stands twice in one training, or a figure is not finite.
    """
    if missing := [column for column in COLUMNS if column not in table.columns]:
        raise ValueError(f"per-image table lacks {', '.join(missing)}; expected the columns {', '.join(COLUMNS)}")
    key = ["budget", "variant", "stage", "seed", *SCENE]
    if table.duplicated(key).any():
        twice = table.loc[table.duplicated(key), key].iloc[0].to_dict()
        raise ValueError(f"per-image table has a row twice: {twice}; expected one row a scene and training")
    if not np.isfinite(table[["psnr", "ssim", "mae"]].to_numpy(float)).all():
        raise ValueError("per-image table holds figures that are NaN or infinite; leave those scenes out")


def mean_of_seeds(table: pd.DataFrame, trained: Trained, measure: Measure) -> MeanOfSeeds | None:
    """A cell of the table, or None where nothing was trained."""
    rows = _rows(table, trained)
    if rows.empty:
        return None
    means = rows.groupby("seed")[measure].mean()
    deviation = float(means.std(ddof=1)) if len(means) > 1 else None
    return MeanOfSeeds(float(means.mean()), deviation, len(means))


def difference(
    table: pd.DataFrame, first: Trained, second: Trained, measure: Measure, level: float, replicates: int
) -> Difference:
    """First minus second on the seeds that both have, scene by scene.

    Raises:
        ValueError: the two were judged on different scenes.
    """
    pairs = [_rows(table, each).pivot(index="seed", columns=SCENE, values=measure) for each in (first, second)]
    common = pairs[0].index.intersection(pairs[1].index)
    if len(common) == 0:
        return Difference(first, second, measure, (), 0, 0, 0, None)
    mine, theirs = (pair.loc[common].dropna(axis="columns", how="all") for pair in pairs)
    if set(mine.columns) != set(theirs.columns) or mine.isna().any(axis=None) or theirs.isna().any(axis=None):
        raise ValueError(
            f"{'/'.join(first)} and {'/'.join(second)} were not judged on the same scenes; "
            "judge them again on one data set"
        )
    gains = mine - theirs[mine.columns]
    photo_of = table.drop_duplicates(SCENE).set_index(SCENE)["photo"]
    photos = gains.mean().groupby(photo_of.reindex(gains.columns).to_numpy()).mean()
    enough = len(common) > 1 and gains.shape[1] > 1
    return Difference(
        first,
        second,
        measure,
        tuple(int(seed) for seed in common),
        gains.shape[1],
        len(photos),
        int((photos > 0).sum()),
        bootstrap_interval(gains.to_numpy(float), level, replicates) if enough else None,
    )


def bootstrap_interval(differences: FloatArray, level: float = 0.95, replicates: int = 100_000) -> Interval:
    """The interval for the mean of paired differences S×P (seeds × scenes, both 2 or more), from a hierarchical
    bootstrap over seeds and scenes.

    In each replicate the mean moves by what another choice of seeds, and another of scenes, would move it: each level's
    standard error times a draw from Student's t of its count less one. That makes it a parametric bootstrap. Resampling
    with replacement, the usual way, takes three seeds' scatter for known: in simulations of crossed random effects its
    95 % interval covered 73 to 84 % where seeds matter, this one 95 to 98 %, and up to 99.8 % where what is left beside
    the two effects dominates (it counts for both). The same differences give the same interval.

    Raises:
        ValueError: fewer than two seeds or scenes.
    """
    seeds, scenes = differences.shape
    if min(seeds, scenes) < 2:
        raise ValueError(f"found {seeds} seeds × {scenes} scenes, expected two or more of each")
    generator = np.random.default_rng(0)
    moved = np.zeros(replicates)
    for means, count in ((differences.mean(axis=1), seeds), (differences.mean(axis=0), scenes)):
        error = float(means.std(ddof=1)) / np.sqrt(count)
        moved += error * generator.standard_t(count - 1, replicates)
    low, high = np.quantile(moved, [(1 - level) / 2, (1 + level) / 2])
    mean = float(differences.mean())
    return Interval(mean, mean + float(low), mean + float(high))


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """A claim of several parts: it holds if all do, doesn't if one doesn't, else it can't be told.

    Raises:
        ValueError: there is no part.
    """
    found = list(verdicts)
    if not found:
        raise ValueError("a claim without parts; expected at least one difference")
    if "doesn't hold" in found:
        return "doesn't hold"
    return "holds" if set(found) == {"holds"} else "can't be told"


def sentence(verdicts: Sequence[Verdict]) -> str:
    """``together`` as words, with the count of parts behind it where there are several."""
    verdict = together(verdicts)
    if len(verdicts) == 1:
        return verdict
    counts = {word: list(verdicts).count(word) for word in ("holds", "doesn't hold", "can't be told")}
    if counts[verdict] == len(verdicts):
        return f"{verdict} (all {len(verdicts)} parts)"
    counted = ", ".join(f"{word}: {count}" for word, count in counts.items() if count)
    return f"{verdict} (of {len(verdicts)} parts {counted})"


def number(value: float, decimals: int) -> str:
    """A figure with its sign, a true minus among them; a rounded zero has none.

    Of its six decimals, which are all that a CSV file keeps, a half is rounded away from 0.
    """
    rounded = Decimal(f"{value:.6f}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded:+f}".replace("-", "−") if rounded else f"{abs(rounded):f}"


def _rows(table: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    chosen = (table[["budget", "variant", "stage"]] == list(trained)).all(axis="columns")
    return table[chosen]
