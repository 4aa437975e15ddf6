"""What ``sftdec deblur`` has seen, if its user lets it write that down: a line a photo of figures alone.

A line is a JSON object: the four figures, the window's side and the checksum of the network. No picture, name,
place or time, and figures of four digits: enough to notice that photos change, too little to know one by.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sftdec.drift.statistics import STATISTICS, DriftError, Gauge


def append_record(path: Path, figures: Mapping[str, float], gauge: Gauge) -> None:
    """Add a photo's figures to a file of records; processes may write to one file at once."""
    values = {name: figures[name] for name in STATISTICS}
    line = json.dumps({**values, "window": gauge.window, "weights": gauge.weights}).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)  # in one go: lines of two processes don't mix
    finally:
        os.close(descriptor)


def read_records(path: Path, gauge: Gauge) -> tuple[pd.DataFrame, list[str]]:
    """The figures of a file of records, a row a photo with the columns of ``STATISTICS``; and what was left out.

    Left out are lines of another gauge, and broken ones (a full disk).

    Raises:
        DriftError: there is no such file, or it isn't text.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise DriftError(f"{path}: there is no such file; `sftdec deblur --log-statistics` writes one") from None
    except UnicodeDecodeError as error:
        raise DriftError(f"{path}: found no text, expected the lines of sftdec deblur --log-statistics") from error
    rows: list[dict[str, float]] = []
    other = broken = 0
    for line in filter(str.strip, lines):
        record = _record(line)
        if record is None:
            broken += 1
        elif (record["window"], record["weights"]) != (gauge.window, gauge.weights):
            other += 1
        else:
            rows.append({name: float(record[name]) for name in STATISTICS})
    left_out = [f"{path}: {other} photos were measured with another network or window"] if other else []
    left_out += [f"{path}: {broken} lines are no records"] if broken else []
    return pd.DataFrame(rows, columns=list(STATISTICS), dtype=float), left_out


def _record(line: str) -> dict[str, Any] | None:
    """A line as an object with all its figures, or None."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not {*STATISTICS, "window", "weights"} <= found.keys():
        return None
    figures = [found[name] for name in STATISTICS]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in figures)
    return found if numbers and np.isfinite(figures).all() else None
