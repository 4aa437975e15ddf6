"""The readings that the paper leaves open: what changing one of them does, and which default that supports."""

from collections.abc import Mapping, Sequence

import pandas as pd

from sftdec.experiments.tables.ablation import (
    Difference,
    Measure,
    Trained,
    check_table,
    difference,
    markdown_table,
    mean_of_seeds,
    number,
)

DEFAULT = "default"
DECIMALS: dict[Measure, int] = {"psnr": 3, "ssim": 4, "mae": 4}
TITLES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "mae": "map MAE"}
BETTER: dict[Measure, int] = {"psnr": 1, "ssim": 1, "mae": -1}


def supports(pair: Difference) -> str:
    """Which reading a difference (another reading minus the default) supports."""
    verdict = pair.verdict(BETTER[pair.measure])
    return {"holds": "the other reading", "doesn't hold": "the default", "can't be told": "neither"}[verdict]


def readings_report(
    table: pd.DataFrame, labels: Mapping[str, str], stage: str, level: float, replicates: int, notes: Sequence[str]
) -> tuple[str, pd.DataFrame]:
    """The Markdown page and the rows of the CSV file from a per-image table (``ablation.COLUMNS``).

    ``labels`` name the variants to compare with ``default``, after ``stage``.

    Raises:
        ValueError: a table that can't be compared, or without the default.
    """
    check_table(table)
    default = Trained("equal_steps", DEFAULT, stage)
    if mean_of_seeds(table, default, "psnr") is None:
        raise ValueError(f"per-image table has no rows of {DEFAULT} after {stage}; train it before comparing with it")
    lines = ["# The readings that the paper leaves open", "", *notes, ""]
    lines += [f"The default: {', '.join(_level(table, default, key) for key in DECIMALS)}.", ""]
    rows, kept = [], []
    for variant, label in labels.items():
        other = Trained("equal_steps", variant, stage)
        pairs = {key: difference(table, other, default, key, level, replicates) for key in DECIMALS}
        rows.append([label, *(cell for pair in pairs.values() for cell in _shown(pair)), supports(pairs["psnr"])])
        kept += [_record(variant, pair) for pair in pairs.values()]
    head = ["another reading, default"]
    for key in DECIMALS:
        head += [f"{TITLES[key]}: effect", "interval"]
    lines += markdown_table([*head, "PSNR supports"], rows)
    lines += ["", *(_sentence(label, row[-1]) for label, row in zip(labels.values(), rows, strict=True))]
    return "\n".join(lines) + "\n", pd.DataFrame(kept)


def _level(table: pd.DataFrame, trained: Trained, measure: Measure) -> str:
    cell = mean_of_seeds(table, trained, measure)
    assert cell is not None
    digits = DECIMALS[measure]
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.{digits}f}"
    return f"{TITLES[measure]} {cell.mean:.{digits}f}{spread}"


def _shown(pair: Difference) -> list[str]:
    if pair.interval is None:
        return ["not trained", "—"]
    digits = DECIMALS[pair.measure]
    return [
        number(pair.interval.mean, digits),
        f"{number(pair.interval.low, digits)} … {number(pair.interval.high, digits)}",
    ]


def _sentence(label: str, supported: str) -> str:
    said = {
        "the default": "the figures support the default.",
        "the other reading": "the figures support the other reading.",
        "neither": "which is better can't be told at this scale, and the default stays.",
    }
    return f"- {label}: {said[supported]}"


def _record(variant: str, pair: Difference) -> dict[str, object]:
    interval = pair.interval
    found = {} if interval is None else {"effect": interval.mean, "low": interval.low, "high": interval.high}
    counted = {"seeds": len(pair.seeds), "scenes": pair.scenes, "photos": pair.photos, "above_0": pair.photos_above}
    return {"variant": variant, "measure": pair.measure, **counted, "supports": supports(pair), **found}
