"""The report as a picture: each statistic's distribution, then and now."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sftdec.drift.check import DriftReport
from sftdec.drift.statistics import STATISTICS
from sftdec.reporting import BETTER, INK, MUTED, WORSE, bare, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 28
CUT = 0.005  # of the values at each end lie outside what is drawn


def drift_figure(reference: pd.DataFrame, incoming: pd.DataFrame, report: DriftReport) -> "Figure":
    """A histogram a statistic: the training photos grey, the incoming ones in colour, red where they drifted.

    Both tables have the columns of ``STATISTICS``. Of too few photos, which have no figures, the distributions alone.
    """
    rows: dict[str, Any] = {str(row["statistic"]): row for row in report.table.to_dict("records")}
    with house_style():
        figure = new_figure(9.6, 4.9)
        heading = "Drift" if report.alarm else "Too few photos to tell" if report.table.empty else "No drift"
        counts = f"{report.photos} incoming photos (in colour) against {report.reference_photos} of the training (grey)"
        figure.text(0.055, 0.95, f"{heading}: {counts}", weight="bold", fontsize=10, va="center")
        for place, name in enumerate(STATISTICS):
            left, bottom = 0.055 + 0.49 * (place % 2), 0.57 - 0.47 * (place // 2)
            axes = figure.add_axes((left, bottom, 0.44, 0.26))
            _draw(axes, name, reference[name].to_numpy(float), incoming[name].to_numpy(float), rows.get(name))
    return figure


def _draw(axes: "Axes", name: str, reference: Any, incoming: Any, row: "dict[str, Any] | None") -> None:
    both = np.concatenate([reference, incoming])
    low, high = np.quantile(both, [CUT, 1 - CUT])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    colour = WORSE if row is not None and row["drifted"] else BETTER
    styles: tuple[dict[str, Any], ...] = ({"color": MUTED, "alpha": 0.35, "fill": True}, {"color": colour})
    for sample, style in zip((reference, incoming), styles, strict=True):
        if len(sample):
            shares = np.histogram(np.clip(sample, edges[0], edges[-1]), edges)[0] / len(sample)
            axes.stairs(shares, edges, linewidth=1.4, **style)
    axes.set(xlim=(edges[0], edges[-1]), yticks=[])
    axes.set_xlabel(STATISTICS[name])
    title = f"{name}"
    detail = "too few photos to tell" if row is None else _detail(row)
    axes.text(0, 1.07, title, transform=axes.transAxes, weight="bold", color=colour if row is not None else INK)
    axes.text(1, 1.07, detail, transform=axes.transAxes, ha="right", color=MUTED, fontsize=8)
    bare(axes)
    axes.grid(visible=False)


def _detail(row: "dict[str, Any]") -> str:
    sign = f"{row['shift']:+.2f}".replace("-", "−")
    return f"{sign} sd,  PSI {row['psi']:.2f} (chance {row['psi_by_chance']:.2f}),  KS p = {row['ks_p']:.2g}"
