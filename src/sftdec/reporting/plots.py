"""Plots of numbers: how training went and what each picture gained."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sftdec.evaluation import paired_interval
from sftdec.reporting.style import (
    AMBER,
    BETTER,
    INK,
    MUTED,
    RULE,
    VIOLET,
    WORSE,
    bare,
    house_style,
    legend_above,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LOSSES = {
    "loss": ("total loss", INK),
    "loss_dme": ("map, L1", AMBER),
    "loss_df": ("picture, L1", BETTER),
    "loss_wd": ("picture, weighted", VIOLET),
}
NAMED_BARS = 40  # more pictures than this and a bar is too thin for its name
GAIN_ROOM = 0.82  # inches for the heading and the axis of one data set


def training_curves(curves: Mapping[str, pd.DataFrame], width: float = 9.6) -> "Figure":
    """Losses (logarithmic) and, below, validation PSNR (dB) and map error, the stages one after another on one axis.

    `curves`: per stage a table with `step` (from the stage's own start) and `loss`, and where measured
    `loss_dme`, `loss_df`, `loss_wd`, `validation_psnr` and `validation_mae`; gaps are NaN. `width` in inches.

    Raises:
        ValueError: there is no stage, or one's table is empty or lacks `step` or `loss`.
    """
    if not curves:
        raise ValueError("no training curves; expected a table for at least one stage")
    for stage, table in curves.items():
        if table.empty or not {"step", "loss"} <= set(table.columns):
            found = ", ".join(map(str, table.columns)) or "no columns"
            raise ValueError(f"curve {stage} has {len(table)} rows of {found}; expected rows of step, loss, …")
    with house_style():
        height, head = 5.2, 0.52 if width > 6 else 0.68
        figure = new_figure(width, height)
        left, right = 0.62 / width, 1 - 0.2 / width
        top = 1 - head / height
        losses = figure.add_axes((left, 0.51, right - left, top - 0.51))
        quality = figure.add_axes((left, 0.275, right - left, 0.2), sharex=losses)
        maps = figure.add_axes((left, 0.085, right - left, 0.155), sharex=losses)
        below = {"validation_psnr": (quality, BETTER), "validation_mae": (maps, AMBER)}
        start, measured = 0.0, dict.fromkeys(below, False)
        for stage, table in curves.items():
            _draw_losses(losses, table, start)
            for column, (axes, colour) in below.items():
                measured[column] |= _draw_validation(axes, table, column, start, colour)
            end = start + float(table["step"].max())
            _mark_stage((losses, quality, maps), stage, (start, end))
            start = end
        losses.set(yscale="log", ylabel="loss", xlim=(0, start))
        losses.tick_params(labelbottom=False, which="both")
        quality.tick_params(labelbottom=False)
        quality.set(ylabel="PSNR, dB")
        maps.set(xlabel="step", ylabel="map MAE")
        for axes in (losses, quality, maps):
            bare(axes)
        _quiet_ticks(losses, (quality, maps), width)
        _legend(figure, losses, columns=4 if width > 6 else 2)
        for column, (axes, _) in below.items():
            if not measured[column]:
                axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=MUTED)
    return figure


def _draw_losses(axes: "Axes", table: pd.DataFrame, start: float) -> None:
    """A stage's losses smoothed over a fortieth of its length, the raw total faintly behind."""
    steps = table["step"] + start
    for column, (label, colour) in LOSSES.items():
        values = table.get(column)
        if values is None or not (values > 0).any():
            continue
        values = values.where(values > 0)
        total = column == "loss"
        if total:
            axes.plot(steps, values, color=colour, alpha=0.16, linewidth=0.6)
        smooth = values.ewm(halflife=max(1.0, len(values) / 40), ignore_na=True).mean()
        axes.plot(steps, smooth, color=colour, linewidth=1.5 if total else 1.1, label=label)


def _draw_validation(axes: "Axes", table: pd.DataFrame, column: str, start: float, colour: str) -> bool:
    """A stage's validation figures of one kind; whether it has any."""
    if column not in table or table[column].notna().sum() == 0:
        return False
    points = table.loc[np.isfinite(table[column]), ["step", column]]
    size = 3.2 if len(points) <= 60 else 0
    axes.plot(points["step"] + start, points[column], color=colour, marker="o", markersize=size, clip_on=False)
    return True


def _mark_stage(panels: Sequence["Axes"], stage: str, span: tuple[float, float]) -> None:
    """The stage's name above its steps and a line where it ends."""
    for axes in panels:
        axes.axvline(span[1], color=RULE, linewidth=0.9, zorder=0)
    middle = (span[0] + span[1]) / 2
    panels[0].annotate(
        stage,
        (middle, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        weight="bold",
    )


def _quiet_ticks(losses: "Axes", below: Sequence["Axes"], width: float) -> None:
    """Few, plain numbers on all axes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    losses.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=7))
    losses.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    losses.yaxis.set_minor_formatter(NullFormatter())
    for axes in below:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    losses.xaxis.set_major_locator(MaxNLocator(9 if width > 6 else 5, integer=True, steps=[1, 2, 5, 10]))
    losses.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\u2009")))


def _legend(figure: "Figure", axes: "Axes", columns: int) -> None:
    """Each loss once, although every stage draws it, above everything else."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    legend_above(figure, [*once.values()], [*once], columns, 0.62, 1.4)


def gain_plot(per_image: pd.DataFrame, width: float = 9.6) -> "Figure":
    """PSNR gained by each picture, sorted, with the mean as a line; one plot a data set.

    `per_image` needs `dataset`, `scene`, `psnr` and `psnr_blurred` (dB, finite). Up to 40 pictures of a data
    set carry their names. `width` in inches.

    Raises:
        ValueError: the table is empty or lacks a column.
    """
    missing = {"dataset", "scene", "psnr", "psnr_blurred"} - set(per_image.columns)
    if per_image.empty or missing:
        raise ValueError(
            f"per-image table has {len(per_image)} rows and lacks {', '.join(sorted(missing)) or 'nothing'}; "
            "expected rows of dataset, scene, psnr, psnr_blurred"
        )
    groups = [(str(name), rows) for name, rows in per_image.groupby("dataset", sort=True)]
    heights = [0.22 * len(rows) + 0.1 if len(rows) <= NAMED_BARS else 2.2 for _, rows in groups]
    height = sum(heights) + GAIN_ROOM * len(groups)
    with house_style():
        figure = new_figure(width, height)
        top = height
        for (name, rows), own in zip(groups, heights, strict=True):
            gains = (rows["psnr"] - rows["psnr_blurred"]).set_axis(rows["scene"]).sort_values(kind="stable")
            named = len(gains) <= NAMED_BARS
            left = min(0.2 + 0.073 * max(map(len, gains.index)), width / 2) if named else 0.62
            place = (left, top - 0.34 - own, width - left - (0.6 if named else 0.2), own)
            axes = figure.add_axes(tuple(np.array(place) / (width, height, width, height)))
            draw = _named_bars if named else _plain_bars
            draw(axes, gains)
            title = f"{name}: {_signed(gains.mean())} dB on average over {len(gains)} pictures"
            figure.text(left / width, (top - 0.2) / height, title, weight="bold", fontsize=9, va="center")
            top -= own + GAIN_ROOM
    return figure


def _named_bars(axes: "Axes", gains: "pd.Series[float]") -> None:
    """Horizontal bars, the largest gain on top, each with its picture's name and number."""
    rows = np.arange(len(gains))
    axes.barh(rows, gains, height=0.62, color=_colours(gains))
    axes.set_yticks(rows, list(gains.index))
    axes.set_ylim(-0.6, len(gains) - 0.4)
    low, high = min(0.0, float(gains.min())), max(0.0, float(gains.max()))
    room = 0.02 * (high - low or 1)
    axes.set_xlim(low - 6 * room * (low < 0), high + room)
    for row, gain in enumerate(gains):
        beside, side = (gain + room / 2, "left") if gain >= 0 else (gain - room / 2, "right")
        axes.text(beside, row, _signed(gain), ha=side, va="center", fontsize=7.5, color=MUTED)
    axes.axvline(float(gains.mean()), color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
    if len(gains) > 1:
        interval = paired_interval(np.asarray(gains, np.float64), 0.95)
        axes.fill_betweenx(axes.get_ylim(), interval.low, interval.high, color=INK, alpha=0.08, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_xlabel("PSNR gain, dB   (dashed: mean; grey: its 95 % interval, over pictures)")
    bare(axes)
    axes.tick_params(axis="y", length=0, labelcolor=INK, pad=4)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.6, alpha=0.7)
    axes.spines["left"].set_visible(False)


def _plain_bars(axes: "Axes", gains: "pd.Series[float]") -> None:
    """Upright bars without names, the largest gain at the left."""
    largest_first = gains[::-1]
    axes.bar(np.arange(len(gains)), largest_first, width=0.86, color=_colours(largest_first))
    axes.axhline(float(gains.mean()), color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set(xlim=(-0.6, len(gains) - 0.4), xticks=[], ylabel="PSNR gain, dB")
    axes.set_xlabel(f"{len(gains)} pictures, sorted   (dashed: mean)")
    bare(axes)


def map_calibration(truth: "NDArray[np.float64]", estimate: "NDArray[np.float64]", width: float = 9.6) -> "Figure":
    """What the map reads (median, and where the middle two thirds of pixels lie) where the true sigma is so much.

    ``truth`` and ``estimate``: px of sigma of the same pixels, one or more, flat. ``width`` in inches.
    """
    top = max(float(truth.max()), float(estimate.max()), 1e-6)
    edges = np.linspace(0, top, 25)
    placed = np.clip(np.digitize(truth, edges) - 1, 0, 23)
    with house_style():
        figure = new_figure(width, 3.4)
        axes = figure.add_axes((0.62 / width, 0.16, 1 - 0.82 / width, 0.7))
        axes.plot((0, top), (0, top), color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="as it should be")
        found = [(edges[each : each + 2].mean(), estimate[placed == each]) for each in np.unique(placed)]
        low, middle, high = np.transpose([np.percentile(read, (16.7, 50, 83.3)) for _, read in found])
        at = [centre for centre, _ in found]
        axes.fill_between(at, low, high, color=AMBER, alpha=0.25, linewidth=0, label="two thirds of the pixels")
        axes.plot(at, middle, color=AMBER, marker="o", markersize=4, linewidth=1.5, label="median")
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="true σ, px", ylabel="estimated σ, px")
        bare(axes)
        legend_above(figure, *axes.get_legend_handles_labels(), 3 if width > 6 else 2, 0.62, 1.4)
    return figure


def time_against_quality(systems: pd.DataFrame, width: float = 9.6) -> "Figure":
    """Each system's gain (dB) over its seconds a megapixel, on a logarithmic axis; SFT-Dec in colour.

    ``systems`` needs ``title``, ``own``, ``gain``, ``seconds``. ``width`` in inches.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    systems = systems.sort_values("gain", kind="stable")
    with house_style():
        figure = new_figure(width, 3.4)
        axes = figure.add_axes((0.55 / width, 0.16, 1 - 2.6 / width, 0.78))
        colours = [BETTER if own else MUTED for own in systems["own"]]
        axes.scatter(systems["seconds"], systems["gain"], s=34, c=colours, zorder=3)
        axes.set(xscale="log", xlabel="seconds a megapixel", ylabel="PSNR gain, dB")
        axes.set_xlim(systems["seconds"].min() / 1.6, systems["seconds"].max() * 1.6)
        heights = np.linspace(0.02, 0.98, len(systems))  # names stand beside the axes, and so never on one another
        named = zip(systems["title"], systems["seconds"], systems["gain"], heights, colours, strict=True)
        for title, seconds, gain, height, colour in named:
            text = axes.annotate(
                title,
                (seconds, gain),
                (1 + 0.1 / (width - 2.6), height),
                textcoords="axes fraction",
                arrowprops={"arrowstyle": "-", "color": RULE, "linewidth": 0.7, "relpos": (0, 0.5)},
                color=colour,
                va="center",
            )
            text.set_parse_math(False)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        bare(axes)
    return figure


def _colours(gains: "pd.Series[float]") -> list[str]:
    return [BETTER if gain >= 0 else WORSE for gain in gains]


def _signed(gain: float) -> str:
    """A gain with its sign, a true minus among them."""
    return f"{gain:+.2f}".replace("-", "−")
