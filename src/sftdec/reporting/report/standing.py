"""Where the network stands among the systems of table 2, as far as its CSV file says so."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.evaluation import holm
from sftdec.reporting.plots import time_against_quality
from sftdec.reporting.report.making import charts
from sftdec.reporting.report.result import gain_bars

COLUMNS = {"dataset", "budget", "method", "title", "psnr", "psnr_low", "psnr_high"}
BUDGET = "equal_time"
CHANCE = 0.05  # at most, that a difference like this is none
INPUT, OWN, TOLD = "floor", "sft_dec", "oracle"  # rows: the blurred photo, ours, and what is given the true map


class Standing(NamedTuple):
    """One data set: the systems, best first, with their gain in dB over the blurred photo and their bar in per cent.

    SFT-Dec is better than those `behind` it and worse than those `ahead`, as far as the difference says so (by Holm's
    method over all rows where the file has p-values, else each by its interval); it can't be told from those `beside`
    it. Who is told the truth is in none of the three.
    """

    dataset: str
    systems: list[dict[str, Any]]
    behind: list[str]
    beside: list[str]
    ahead: list[str]
    charts: list[str]  # gain over time, where times were measured


def read_standings(path: Path) -> list[Standing]:
    """A standing for each data set of a file `table2.csv`, after equal time; that of most photos first.

    None at all where there is no such file or it lacks one of `COLUMNS`; a data set of fewer than two systems is left
    out.
    """
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    if not set(table.columns) >= COLUMNS:
        return []
    judged = table[(table["budget"] == BUDGET) & table["psnr"].notna()]
    sets = list(judged.groupby("dataset", sort=False))
    if "photos" in judged:
        sets.sort(key=lambda each: -each[1]["photos"].max())
    found = [_standing(str(name), rows) for name, rows in sets]
    return [standing for standing in found if standing is not None]


def _told_apart(rows: pd.DataFrame) -> "pd.Index[int]":
    """The rows whose figure is told from SFT-Dec's."""
    known = rows[rows["psnr_low"].notna()]
    if "psnr_chance" not in known or known["psnr_chance"].isna().any():
        return known.index[(known["psnr_low"] > 0) | (known["psnr_high"] < 0)]
    return known.index[[each < CHANCE for each in holm(list(known["psnr_chance"]))]]


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
    others = systems[~systems["method"].str.startswith(TOLD) & (systems["method"] != OWN)]
    told_apart = others.index.isin(_told_apart(rows))
    behind, ahead = (told_apart & (others[end] * sign > 0) for end, sign in (("psnr_high", -1), ("psnr_low", 1)))
    named = [list(others.loc[which, "title"]) for which in (behind, ~behind & ~ahead, ahead)]
    if not (systems["method"] == OWN).any():
        named = [[], [], []]
    timed = systems.assign(own=systems["method"] == OWN, seconds=systems.get("seconds")).dropna(subset="seconds")
    drawn = charts(lambda width: time_against_quality(timed, width)) if len(timed) > 1 else []
    return Standing(dataset, lines, named[0], named[1], named[2], drawn)
