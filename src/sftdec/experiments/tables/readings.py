"""The readings that the paper leaves open: what changing one of them does, and which default that supports."""

from collections.abc import Mapping, Sequence

import pandas as pd

from sftdec.experiments.definition import Experiment
from sftdec.experiments.tables.differences import (
    DECIMALS,
    ROW,
    UNITS,
    Place,
    Row,
    cell_figures,
    check_table,
    decided,
    difference_row,
    judged_notes,
    shown,
)
from sftdec.reporting import Document, Sheet

DEFAULT, STAGE = "default", "s3"
TITLES = UNITS | {"mae": "map MAE"}
SUPPORTS = {"holds": "the other reading", "doesn't hold": "the default", "can't be told": "neither"}
SAID = {
    "holds": "the figures support the other reading.",
    "doesn't hold": "the figures support the default.",
    "can't be told": "which is better can't be told at this scale, and the default stays.",
}


def readings_rows(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """The rows of the CSV file (``ROW``) from a per-image table (``differences.COLUMNS``): one a variant and measure.

    ``labels`` name the variants to compare with ``default``, after s3. Verdicts are Holm's over the readings.

    Raises:
        ValueError: a table that can't be compared, or without the default.
    """
    default = _default(table)
    rows: list[Row] = []
    for measure in DECIMALS:
        own = [
            difference_row(table, Place(variant, STAGE), default, measure) | {"first": label, "second": DEFAULT}
            for variant, label in labels.items()
        ]
        found = decided([[(row, 0.0)] for row in own])
        rows += [row | {"verdict": verdict} for row, (verdict, _) in zip(own, found, strict=True)]
    order = list(labels.values())
    rows.sort(key=lambda row: order.index(str(row["first"])))
    return pd.DataFrame(rows, columns=ROW)


def readings_notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged, and how good the default is: paragraphs.

    Raises:
        ValueError: a table that can't be compared, or without the default.
    """
    return [
        "Made by `dvc repro experiments/readings/dvc.yaml`: `params.yaml` with one thing changed at a time, "
        f"{', '.join(f'{stage} {count} steps' for stage, count in experiment.steps.items())}. What changes only s2 or "
        "s3 starts from the default's own weights. An effect is the other reading minus the default, after s3; of a "
        f"map's error less is better. Left out: {', '.join(experiment.photos.left_out) or 'no photo'}; what follows is "
        "chosen without the photos that the sample's test is of.",
        *judged_notes(experiment, judged),
        "Verdicts are corrected for the number of readings by Holm's method, of each measure by itself.",
        _default_note(judged),
    ]


def _default_note(table: pd.DataFrame) -> str:
    default, levels = _default(table), []
    for measure, digits in DECIMALS.items():
        cell = cell_figures(table, default, measure)
        spread: str = "" if pd.isna(cell["deviation"]) else f" ± {cell['deviation']:.{digits}f}"
        levels.append(f"{TITLES[measure]} {cell['ours']:.{digits}f}{spread}")
    return f"The default: {', '.join(levels)}."


def _default(table: pd.DataFrame) -> Place:
    check_table(table)
    default = Place(DEFAULT, STAGE)
    if not cell_figures(table, default, "psnr"):
        raise ValueError(f"per-image table has no rows of {DEFAULT} after {STAGE}; train it before comparing with it")
    return default


def readings_document(rows: pd.DataFrame, notes: Sequence[str]) -> Document:
    """What the rows of the CSV file say."""
    head = ["another reading, default"]
    for measure in DECIMALS:
        head += [f"{TITLES[measure]}: effect", "interval"]
    body, points = [], []
    for label, own in rows.groupby("first", sort=False):
        figures = [shown(row, DECIMALS[row["measure"]], "not trained") for row in own.to_dict("records")]
        verdict = str(own.loc[own["measure"] == "psnr", "verdict"].iloc[0])
        body.append([str(label), *(cell for pair in figures for cell in pair), SUPPORTS[verdict]])
        points.append(f"{label}: {SAID[verdict]}")
    opening = (Sheet([*head, "PSNR supports"], body), points)
    return Document("The readings that the paper leaves open", notes, {}, opening)
