"""A table as a chart: each method's difference to SFT-Dec with its interval, its figure beside it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sftdec.experiments.tables.ablation import number
from sftdec.experiments.tables.methods import (
    BUDGET_TITLES,
    DECIMALS,
    DECONVOLVED,
    LARGER_IS_BETTER,
    REFERENCE,
    UNITS,
    Measure,
    Table,
)
from sftdec.reporting import BETTER, INK, MUTED, RULE, WORSE, bare, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 12.0  # inches, as all lengths below
LABELS, VALUES, RIGHT, BETWEEN = 2.75, 1.2, 0.15, 0.35
LINE, HEAD, FOOT, TITLE, NOTE = 0.25, 0.5, 0.5, 0.42, 0.36
ROOM = 0.08  # of the axis, on either side of what it shows
FAR = 5.0  # times the trained networks' median distance to SFT-Dec: an axis ends there


def comparison_chart(table: Table, rows: pd.DataFrame, photographed: pd.DataFrame, level: float) -> "Figure":
    """A block a data set, in it a column a budget: the first measure's difference to SFT-Dec, with its interval.

    ``rows``, ``photographed``: as of ``rows.table_rows`` and ``rows.photographed_rows``. Green is better than SFT-Dec,
    red worse, grey can't be told; a hollow dot has no interval. The axis shows the trained methods, but for one that
    is far off; a dot beyond it is an arrow at the edge. 12 inches wide.

    Raises:
        ValueError: there are no rows.
    """
    groups = [(str(name), own) for each in (rows, photographed) for name, own in each.groupby("dataset", sort=False)]
    if not groups:
        raise ValueError(f"table {table.number} has no rows for a chart; judge at least one method")
    lines = [int(own.groupby("budget").size().max()) for _, own in groups]
    height = TITLE + sum(count * LINE + HEAD + FOOT for count in lines) + NOTE
    column = (WIDTH - LABELS - 2 * VALUES - BETWEEN - RIGHT) / 2
    measure = table.measures[0]
    with house_style():
        figure = new_figure(WIDTH, height)
        title = f"Table {table.number}: {table.title}, {UNITS[measure]} minus SFT-Dec's"
        figure.text(RIGHT / WIDTH, 1 - 0.22 / height, title, fontsize=11.5, weight="bold", va="center")
        figure.text(RIGHT / WIDTH, 0.16 / height, _note(measure, level), fontsize=8, color=MUTED, va="center")
        top = height - TITLE
        for (name, own), count in zip(groups, lines, strict=True):
            span = _span(own, measure)
            for place, budget in enumerate(BUDGET_TITLES):
                left = LABELS + place * (column + VALUES + BETWEEN)
                bottom = top - HEAD - count * LINE
                box = (left / WIDTH, bottom / height, column / WIDTH, count * LINE / height)
                axes = figure.add_axes(box)
                _column(axes, own[own["budget"] == budget], table, span, place == 0)
                axes.set_title(f"{name}: {BUDGET_TITLES[budget].lower()}", fontsize=9.5, color=INK, loc="left", pad=9)
            top -= HEAD + count * LINE + FOOT
    return figure


def _note(measure: Measure, level: float) -> str:
    direction = "right" if LARGER_IS_BETTER[measure] else "left"
    return (
        f"Further {direction} is better. Bar: {level:.0%} interval over photos; green better than SFT-Dec, red worse, "
        "grey can't be told; hollow: one photo, no interval; arrow: beyond the axis."
    )


def _span(rows: pd.DataFrame, measure: Measure) -> tuple[float, float]:
    """What the axis shows: the trained networks' own figures with their intervals, and 0; one network that is far off
    may not crowd the others, so it ends at ``FAR`` times their median distance.
    """
    trained = ~rows["method"].str.endswith(DECONVOLVED) & (rows["weights"].fillna("") != "")
    values = rows.loc[trained, [f"{measure}{part}" for part in ("_difference", "_low", "_high")]].to_numpy(float)
    finite = [0.0, *values[np.isfinite(values)]]
    means = rows.loc[trained, f"{measure}_difference"].abs().to_numpy(float)
    means = means[np.isfinite(means) & (means > 0)]
    reach = FAR * float(np.median(means)) if len(means) else np.inf
    low, high = max(min(finite), -reach), min(max(finite), reach)
    room = ROOM * (high - low) or 0.1
    return low - room, high + room


def _column(axes: "Axes", rows: pd.DataFrame, table: Table, span: tuple[float, float], labelled: bool) -> None:
    """One budget's methods, from the top in their order."""
    measure = table.measures[0]
    axes.set(xlim=span, ylim=(len(rows) - 0.5, -0.5))
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    for line, (_, row) in enumerate(rows.iterrows()):
        _dot(axes, row, measure, line, span)
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "xytext": (7, 0), "textcoords": "offset points"}
        colour = MUTED if row["status"] else INK
        axes.annotate(_figure_of(row, table), (1, line), fontsize=8, va="center", color=colour, **place)
    heading = " · ".join(UNITS[each].partition(" ")[0] for each in table.measures)
    axes.annotate(heading, (1, 1), xycoords="axes fraction", xytext=(7, 10), textcoords="offset points", fontsize=8,
                  color=MUTED)  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows["title"]) if labelled else [""] * len(rows))
    bare(axes)
    axes.tick_params(axis="y", length=0, labelcolor=INK, pad=5, labelsize=8.5)
    axes.grid(axis="x", color=RULE, linewidth=0.6, alpha=0.7)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{UNITS[measure]} minus SFT-Dec's")
    axes.xaxis.set_major_formatter(lambda value, _: number(value, 2 if measure == "psnr" else 3))
    axes.locator_params(axis="x", nbins=6)


def _figure_of(row: "pd.Series[Any]", table: Table) -> str:
    if row["status"]:
        return str(row["status"]).replace(" with", "\nwith")
    return " · ".join(f"{row[measure]:.{DECIMALS[measure]}f}" for measure in table.measures)


def _dot(axes: "Axes", row: "pd.Series[Any]", measure: Measure, line: int, span: tuple[float, float]) -> None:
    """A method's dot and bar; SFT-Dec's diamond; nothing for a row without a difference."""
    if row["method"] == REFERENCE and not row["status"]:
        axes.plot(0, line, marker="D", color=INK, markersize=6)
        return
    mean = row[f"{measure}_difference"]
    if pd.isna(mean):
        return
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    colour = _colour(low, high, measure)
    if not span[0] <= mean <= span[1]:
        edge, marker = (span[0], "<") if mean < span[0] else (span[1], ">")
        axes.plot(edge, line, marker=marker, color=colour, markersize=6, clip_on=False)
        return
    if pd.notna(low):
        axes.plot([low, high], [line, line], color=colour, linewidth=2.2, solid_capstyle="round", alpha=0.75)
    axes.plot(mean, line, marker="o", markersize=6, color=colour, markerfacecolor="white" if pd.isna(low) else colour)


def _colour(low: float, high: float, measure: Measure) -> str:
    if pd.isna(low) or low <= 0 <= high:
        return MUTED
    return BETTER if (low > 0) == LARGER_IS_BETTER[measure] else WORSE
