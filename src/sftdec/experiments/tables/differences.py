"""Two trainings, or two methods, compared picture by picture: the one difference that all tables show.

A table has a row a picture and training; a picture is judged by the one training of a fold that didn't see its photo.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from sftdec.evaluation import Estimate, Verdict, clustered, holm
from sftdec.experiments.definition import Experiment

PICTURE = ["dataset", "scene"]
LEVEL = 0.95  # of all intervals
FEW = 4  # trainings of each network, below which hardly anything can be told
COLUMNS = ["variant", "stage", "fold", "machine", *PICTURE, "photo", "psnr", "ssim", "mae"]
ROW = ["kind", "first", "second", "measure", "paper", "ours", "deviation", "low", "high", "error", "degrees",
       "trainings", "pictures", "photos", "photos_above_0", "unchanged",
       "verdict", "chance", "size", "size_chance"]  # fmt: skip

Measure = Literal["psnr", "ssim", "mae", "mse"]
UNITS: dict[Measure, str] = {"mae": "MAE", "mse": "MSE", "psnr": "PSNR (dB)", "ssim": "SSIM"}
DECIMALS: dict[Measure, int] = {"psnr": 3, "ssim": 4, "mae": 4}  # of differences between trainings of one network
BETTER: dict[Measure, int] = {"psnr": 1, "ssim": 1, "mae": -1, "mse": -1}
Row = dict[Any, Any]  # of ``ROW``


class Place(NamedTuple):
    """A variant after a stage of training, its folds taken together: a place of the table."""

    variant: str
    stage: str


@dataclass(frozen=True)
class Difference:
    """First minus second of one measure, over the pictures of the folds that both have.

    ``estimate`` is None where it can't be told how sure the mean is. ``better``: pictures in which the first is ahead;
    ``photos_above``: photos whose mean difference is above 0; ``unchanged``: folds in which no picture differs.
    """

    mean: float
    estimate: Estimate | None
    trainings: int
    pictures: int
    photos: int
    photos_above: int
    better: int
    unchanged: int

    def ends(self) -> dict[str, float]:
        """The mean with its interval (``ours``, ``low``, ``high``), its standard ``error`` and the ``degrees`` of
        Student's t; nothing where that can't be told.
        """
        if self.estimate is None:
            return {}
        found, own = self.estimate.interval(LEVEL), asdict(self.estimate)
        return {"ours": own.pop("mean"), "low": found.low, "high": found.high, **own}


def check_table(table: pd.DataFrame) -> None:
    """Refuse a table that can't be compared.

    Raises:
        ValueError: no rows, a column is missing, a picture stands twice in one variant, or a figure is not finite.
    """
    if missing := [column for column in COLUMNS if column not in table.columns]:
        raise ValueError(f"per-image table lacks {', '.join(missing)}; expected the columns {', '.join(COLUMNS)}")
    if table.empty:
        raise ValueError("per-image table has no rows; train at least one cell")
    key = ["variant", "stage", *PICTURE]
    if table.duplicated(key).any():
        twice = table.loc[table.duplicated(key), [*key, "fold"]].iloc[0].to_dict()
        raise ValueError(f"per-image table has a row twice: {twice}; expected a picture in one fold alone")
    if not np.isfinite(table[["psnr", "ssim", "mae"]].to_numpy(float)).all():
        raise ValueError("per-image table holds figures that are NaN or infinite; leave those scenes out")


def rows_of(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    """A place's rows of a table; none where nothing was trained."""
    return table[(table[["variant", "stage"]] == list(place)).all(axis="columns")]


def difference(first: pd.DataFrame, second: pd.DataFrame, measure: Measure, what: str = "") -> Difference:
    """One table's figures minus another's, matched by picture; columns ``PICTURE``, ``photo``, and ``measure``.

    With a column ``fold`` the folds that both have are compared, and one alone has no ``estimate``: of how far another
    training is from this one it says nothing. Without it (one training) pictures of one photo have none.

    Raises:
        ValueError: the two were not judged on the same pictures, one stands twice, or a figure is not finite.
    """
    if folded := "fold" in first:
        common = set(first["fold"]) & set(second["fold"])
        first, second = (rows[rows["fold"].isin(common)] for rows in (first, second))
        if not common:
            return Difference(math.nan, None, 0, 0, 0, 0, 0, 0)
    mine, theirs = (rows.set_index(PICTURE).sort_index() for rows in (first, second))
    if not mine.index.is_unique or not mine.index.equals(theirs.index):
        raise ValueError(
            f"{what or measure}: found {len(mine)} and {len(theirs)} rows, not of the same pictures, once each; judge "
            "both again on one set of scenes"
        )
    if "psnr_blurred" in mine and not np.allclose(mine["psnr_blurred"], theirs["psnr_blurred"], atol=1e-5):
        raise ValueError(f"{what or measure}: judged on other pictures of the same names; judge both again on one set")
    gains = mine[measure] - theirs[measure]
    if not np.isfinite(gains).all():
        scene = gains.index[~np.isfinite(gains.to_numpy(float))][0]
        raise ValueError(f"{measure} of {'/'.join(scene)} is not a finite number; leave that scene out")
    folds = mine["fold"] if folded else pd.Series(0, mine.index)
    photos, trainings = gains.groupby(mine["photo"]).mean(), folds.nunique()
    enough = trainings > 1 if folded else len(photos) > 1
    return Difference(
        float(gains.mean()),
        clustered(gains, mine["photo"].astype(str), folds) if enough else None,
        trainings,
        len(gains),
        len(photos),
        int((photos > 0).sum()),
        int((BETTER[measure] * gains > 0).sum()),
        int((gains == 0).groupby(folds).all().sum()),
    )


def difference_row(table: pd.DataFrame, first: Place, second: Place, measure: Measure) -> Row:
    """A difference as a row (``ROW``): its interval and its verdict.

    Raises:
        ValueError: as ``difference``, or the two were trained on different kinds of machine.
    """
    what, rows = (
        " and ".join("/".join(each) for each in (first, second)),
        (rows_of(table, first), rows_of(table, second)),
    )
    if len(kinds := set(pd.concat(rows)["machine"])) > 1:
        raise ValueError(f"{what}: trained on {' and '.join(sorted(kinds))}; train both on one kind of machine")
    found = difference(*rows, measure, what)
    row: Row = {"kind": "difference", "measure": measure, "trainings": found.trainings, "pictures": found.pictures}
    row |= {"photos": found.photos, "photos_above_0": found.photos_above, "unchanged": found.unchanged}
    verdict = "can't be told" if found.estimate is None else found.estimate.interval(LEVEL).verdict(BETTER[measure])
    return row | found.ends() | {"verdict": verdict}


def cell_figures(table: pd.DataFrame, place: Place, measure: Measure) -> Row:
    """The mean over all pictures, and the standard deviation of the folds' means, or nothing."""
    rows = rows_of(table, place)
    if rows.empty:
        return {}
    means = rows.groupby("fold")[measure].mean()
    deviation = float(means.std(ddof=1)) if len(means) > 1 else math.nan
    return {"ours": float(rows[measure].mean()), "deviation": deviation, "trainings": len(means)}


def decided(claims: Sequence[Sequence[tuple[Row, float]]]) -> list[tuple[Verdict, float]]:
    """What a table's claims come to, with the p-value of each: Holm's, over all of them.

    A claim is that each of its differences is better by more than the size beside it. It holds where its unlikeliest
    part does, and doesn't where the likeliest part to fail does, by Bonferroni over its parts; a part without figures
    lets no claim hold.
    """

    def chance(row: Row, sign: int, size: float) -> float:
        if "error" not in row:
            return 1.0
        found = Estimate(row["ours"], row["error"], row["degrees"])
        return found.chance(sign * BETTER[row["measure"]], size)

    def chances(parts: Sequence[tuple[Row, float]]) -> tuple[float, float]:
        above, below = ([chance(row, sign, size) for row, size in parts] for sign in (1, -1))
        return max(above), min(1.0, len(parts) * min(below))

    sides = [chances(parts) for parts in claims]
    adjusted = holm([min(1.0, 2 * min(side)) for side in sides])
    return [
        ("can't be told" if chance >= 1 - LEVEL else "holds" if above < below else "doesn't hold", chance)
        for (above, below), chance in zip(sides, adjusted, strict=True)
    ]


def judged_notes(experiment: Experiment, table: pd.DataFrame) -> list[str]:
    """What a page says of its folds, pictures and intervals, as ``judged`` (``read_cells``) has them."""
    folds, photos, pictures = table["fold"].nunique(), table["photo"].nunique(), table["scene"].nunique()
    of = "" if folds == len(experiment.folds) else f" (of {len(experiment.folds)}; the others aren't trained yet)"
    sizes = table.drop_duplicates(["variant", "stage", "fold"]).groupby(["variant", "stage"]).size()
    missing = " Some networks are trained on fewer folds as yet." if sizes.min() < folds else ""
    counts = table.drop_duplicates(["variant", "stage", "fold"])["machine"].value_counts()
    machines = ", ".join(f"{machine} ({count} trainings)" for machine, count in counts.items())
    blurred = ""
    if "psnr_blurred" in table:
        level, likeness = table.drop_duplicates(PICTURE)[["psnr_blurred", "ssim_blurred"]].mean()
        blurred = f" Blurred, they have {level:.3f} dB and an SSIM of {likeness:.4f}."
    few = []
    if 1 < folds < FEW:
        few = [
            f"**A trial, and no result: with {folds} trainings of each network hardly anything can be told.** "
            f"Intervals reach {Estimate(0.0, 1.0, folds - 1).interval(LEVEL).high:.1f} standard errors to either side."
        ]
    return [
        *few,
        f"Trained on: {machines}. {pictures} pictures rendered from {photos} photos in {folds} folds{of}: each network "
        f"is trained {folds} times, each time without one fold's photos and with another seed, and judged on that "
        f"fold, its own map guiding it.{blurred}{missing} The paper judges on Realistic and trains for longer: levels "
        "don't compare, the signs of differences do, and their sizes with care.",
        "Ours: mean over pictures ± standard deviation of the folds' means. A difference is paired by picture; its "
        f"{LEVEL:.0%} interval is Student's t over the folds' means, which covers what other photos and other "
        "trainings would change (`benchmarks/intervals.py` measures how often it holds the truth). “Photos above 0” "
        "counts the photos in which the difference in PSNR is.",
    ]


def number(value: float, decimals: int) -> str:
    """A figure with its sign, a true minus among them; a rounded zero has none.

    Of its six decimals, which are all that a CSV file keeps, a half is rounded away from 0.
    """
    rounded = Decimal(f"{value:.6f}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded:+f}".replace("-", "−") if rounded else f"{abs(rounded):f}"


def spanned(low: float, high: float, decimals: int) -> str:
    """An interval's ends."""
    return f"{number(low, decimals)} … {number(high, decimals)}"


def shown(row: Row, decimals: int, missing: str = "—") -> list[str]:
    """A difference and its interval; that no picture differs is said in their place."""
    if pd.isna(row["ours"]):
        return [missing, "—"]
    if row["unchanged"] == row["trainings"]:
        return ["no picture differs", "—"]
    return [number(row["ours"], decimals), spanned(row["low"], row["high"], decimals)]
