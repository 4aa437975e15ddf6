"""The readings that the paper leaves open: what changing one of them does, and which default that supports."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from sftdec.evaluation import Interval
from sftdec.experiments.tables.ablation import (
    Difference,
    Measure,
    Trained,
    check_table,
    difference,
    mean_of_seeds,
    number,
)
from sftdec.reporting import Document, Sheet

DEFAULT = "default"
DECIMALS: dict[Measure, int] = {"psnr": 3, "ssim": 4, "mae": 4}
TITLES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "mae": "map MAE"}
BETTER: dict[Measure, int] = {"psnr": 1, "ssim": 1, "mae": -1}
SAID = {
    "the default": "the figures support the default.",
    "the other reading": "the figures support the other reading.",
    "neither": "which is better can't be told at this scale, and the default stays.",
}


def supports(pair: Difference) -> str:
    """Which reading a difference (another reading minus the default) supports."""
    verdict = pair.verdict(BETTER[pair.measure])
    return {"holds": "the other reading", "doesn't hold": "the default", "can't be told": "neither"}[verdict]


def readings_rows(
    table: pd.DataFrame, labels: Mapping[str, str], stage: str, level: float, replicates: int
) -> pd.DataFrame:
    """The rows of the CSV file from a per-image table (``ablation.COLUMNS``): one a variant and measure.

    ``labels`` name the variants to compare with ``default``, after ``stage``.

    Raises:
        ValueError: a table that can't be compared, or without the default.
    """
    default = _default(table, stage)
    return pd.DataFrame(
        _record(label, difference(table, Trained("equal_steps", variant, stage), default, key, level, replicates))
        for variant, label in labels.items()
        for key in DECIMALS
    )


def default_note(table: pd.DataFrame, stage: str) -> str:
    """How good the default is.

    Raises:
        ValueError: a table that can't be compared, or without the default.
    """
    default = _default(table, stage)
    return f"The default: {', '.join(_level(table, default, key) for key in DECIMALS)}."


def _default(table: pd.DataFrame, stage: str) -> Trained:
    check_table(table)
    default = Trained("equal_steps", DEFAULT, stage)
    if mean_of_seeds(table, default, "psnr") is None:
        raise ValueError(f"per-image table has no rows of {DEFAULT} after {stage}; train it before comparing with it")
    return default


def readings_document(rows: pd.DataFrame, notes: Sequence[str]) -> Document:
    """What the rows of the CSV file say."""
    head = ["another reading, default"]
    for key in DECIMALS:
        head += [f"{TITLES[key]}: effect", "interval"]
    body, points = [], []
    for label, own in rows.groupby("label", sort=False):
        supported = str(own.loc[own["measure"] == "psnr", "supports"].iloc[0])
        body.append([str(label), *(cell for row in own.to_dict("records") for cell in _shown(row)), supported])
        points.append(f"{label}: {SAID[supported]}")
    opening = (Sheet([*head, "PSNR supports"], body), points)
    return Document("The readings that the paper leaves open", notes, {}, opening)


def _level(table: pd.DataFrame, trained: Trained, measure: Measure) -> str:
    cell = mean_of_seeds(table, trained, measure)
    assert cell is not None
    digits = DECIMALS[measure]
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.{digits}f}"
    return f"{TITLES[measure]} {cell.mean:.{digits}f}{spread}"


def _shown(row: Mapping[Hashable, Any]) -> list[str]:
    if pd.isna(row["effect"]):
        return ["not trained", "—"]
    effect, low, high = (number(row[part], DECIMALS[row["measure"]]) for part in ("effect", "low", "high"))
    return [effect, f"{low} … {high}"]


def _record(label: str, pair: Difference) -> dict[str, object]:
    ends = pair.interval or Interval(math.nan, math.nan, math.nan)
    counted = {"seeds": len(pair.seeds), "scenes": pair.scenes, "photos": pair.photos, "above_0": pair.photos_above}
    row = {"variant": pair.first.variant, "label": label, "measure": pair.measure, **counted}
    return row | {"supports": supports(pair), "effect": ends.mean, "low": ends.low, "high": ends.high}
