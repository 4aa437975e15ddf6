"""Where the network stands among the systems of table 2, as far as its CSV file says so."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.reporting.report.result import gain_bars

COLUMNS = {"dataset", "budget", "method", "title", "psnr"}
BUDGET = "equal_time"
INPUT, OWN, TOLD = "floor", "sft_dec", "oracle"  # rows: the blurred photo, ours, and what is given the true map


class Standing(NamedTuple):
    """One data set: the systems, best first, with their gain in dB over the blurred photo and their bar in per cent.

    `place` is SFT-Dec's among `of` systems that aren't told the truth; None where it isn't among them.
    """

    dataset: str
    systems: list[dict[str, Any]]
    place: int | None
    of: int


def read_standings(path: Path) -> list[Standing]:
    """A standing for each data set of a file `table2.csv`, after equal time.

    None at all where there is no such file or it lacks one of `COLUMNS`; a data set of fewer than two systems is left
    out.
    """
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    if not set(table.columns) >= COLUMNS:
        return []
    judged = table[(table["budget"] == BUDGET) & table["psnr"].notna()]
    found = [_standing(str(name), rows) for name, rows in judged.groupby("dataset", sort=False)]
    return [standing for standing in found if standing is not None]


def _standing(dataset: str, rows: pd.DataFrame) -> Standing | None:
    inputs, systems = rows[rows["method"] == INPUT], rows[rows["method"] != INPUT]
    if inputs.empty or len(systems) < 2:
        return None
    systems = systems.assign(gain=systems["psnr"] - float(inputs["psnr"].iloc[0]))
    systems = systems.sort_values("gain", ascending=False, kind="stable")
    lines = [
        {"title": str(title), "own": method == OWN, "told": str(method).startswith(TOLD), **bar}
        for title, method, bar in zip(systems["title"], systems["method"], gain_bars(systems["gain"]), strict=True)
    ]
    honest = [line for line in lines if not line["told"]]
    place = next((number for number, line in enumerate(honest, start=1) if line["own"]), None)
    return Standing(dataset, lines, place, len(honest))
