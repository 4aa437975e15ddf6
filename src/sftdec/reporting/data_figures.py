"""What a page shows of the data: a choice of scenes that stands for all of them, their thumbnails and histograms."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.evaluation import Picture
from sftdec.photos import coloured, read_defocus
from sftdec.reporting.figures import reduced
from sftdec.reporting.style import (
    AMBER,
    BETTER,
    CROPS,
    INK,
    MUTED,
    VIOLET,
    bare,
    house_style,
    legend_above,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BETTER, AMBER, VIOLET, CROPS[1])
OTHERS = "other sets"
BINS = 32
PANEL_HEAD, PANEL_PLOT, PANEL_FOOT = 0.4, 1.45, 0.5  # inches, as all lengths below
LEFT, RIGHT, BETWEEN = 0.56, 0.14, 0.72
LEGEND = 0.3


class Distribution(NamedTuple):
    """How often values occur: per data set the count in each of the bins between ``edges``; ``unit`` of a value."""

    title: str
    unit: str
    mean: float
    edges: NDArray[np.float64]
    counts: Mapping[str, NDArray[np.float64]]


def choose_scenes(index: pd.DataFrame, count: int, seed: int = 0) -> pd.DataFrame:
    """At most ``count`` rows of an index of scenes, spread evenly over data sets, splits and blur.

    Each split of each data set gets the same share, as far as it has that many. Within it the scenes are put in order
    of mean blur and cut into as many equal runs; one scene is drawn from each. The column ``stands_for`` is the
    length of its run: with it as weight, the choice speaks for all scenes. Ordered by data set, split and blur.
    """
    generator = np.random.default_rng(seed)
    groups = [rows for _, rows in index.groupby(["dataset", "split"], sort=True)]
    chosen = []
    for rows, quota in zip(groups, _quotas([len(rows) for rows in groups], count, generator), strict=True):
        if quota == 0:
            continue
        by_blur = rows.sort_values(["sigma_mean", "scene"])
        runs = np.array_split(np.arange(len(by_blur)), quota)
        drawn = by_blur.iloc[[int(generator.choice(run)) for run in runs]]
        chosen.append(drawn.assign(stands_for=[len(run) for run in runs]))
    order = {"train": 0, "validation": 1, "test": 2}
    shown = pd.concat(chosen)
    return shown.assign(_split=shown["split"].map(order)).sort_values(["dataset", "_split"], kind="stable")


def _quotas(sizes: Sequence[int], count: int, generator: np.random.Generator) -> list[int]:
    """``count`` dealt out one by one to groups of these sizes, in turns, until all are empty or it is used up."""
    quotas = [0] * len(sizes)
    turn = [int(number) for number in generator.permutation(len(sizes))]
    while count > 0 and any(quota < size for quota, size in zip(quotas, sizes, strict=True)):
        for number in turn:
            if count > 0 and quotas[number] < sizes[number]:
                quotas[number] += 1
                count -= 1
    return quotas


def thumbnail(picture: Picture, side: int) -> Picture:
    """A uint8 picture H×W×3 made at most ``side`` px wide and one and a half times that high."""
    rows, columns = picture.shape[:2]
    return reduced(picture, max(1, min(side, round(1.5 * side * columns / rows))))


def levels(colours: Picture) -> NDArray[np.float64]:
    """The levels 0..1 that ``coloured`` has given these colours, one in three of each row and column, flat."""
    table = coloured(np.linspace(0, 1, 256, dtype=np.float32)).astype(int)
    pixels = colours[::3, ::3].reshape(-1, 1, 3).astype(int)
    nearest = [((part - table) ** 2).sum(2).argmin(1) for part in np.array_split(pixels, len(pixels) // 4096 + 1)]
    return np.concatenate(nearest) / 255


def colour_stops(count: int = 17) -> list[str]:
    """Those colours from 0 to 1 in equal steps, as CSS names them."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in coloured(np.linspace(0, 1, count, dtype=np.float32))]


def bins(top: float) -> NDArray[np.float64]:
    """Edges of 32 bins from 0 to ``top``."""
    return np.linspace(0.0, top if top > 0 else 1.0, BINS + 1)


def counted(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many of the values (any shape) lie in each bin; those outside count in the first or last."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.float64)


def mean_sigma(rows: pd.DataFrame) -> float:
    """Mean blur in px of sigma over all pixels of these scenes."""
    areas = rows["height"] * rows["width"]
    return float((rows["sigma_mean"] * areas).sum() / areas.sum())


def pixel_distributions(scenes: Path, index: pd.DataFrame, sample: pd.DataFrame) -> Iterator[Distribution]:
    """How sigma is distributed over the pixels of each split's scenes, told by the maps of a sample from
    ``choose_scenes``; all splits have the same bins.

    Raises:
        DataError: a map can't be read.
    """
    edges = bins(float(index["sigma_peak"].max()))
    for split, rows in sample.groupby("split", sort=False):
        counts = {str(name): np.zeros(len(edges) - 1) for name in rows["dataset"]}
        for row in rows.to_dict("records"):
            sigma = read_defocus(scenes / row["defocus"]) * row["sigma_max"]
            counts[str(row["dataset"])] += counted(sigma, edges) * row["stands_for"]
        mean = mean_sigma(index[index["split"] == split])
        yield Distribution(f"σ of the pixels, {split}", "σ, px", mean, edges, counts)


def patch_distributions(kept: pd.DataFrame, sigma_edges: NDArray[np.float64]) -> Iterator[Distribution]:
    """How mean sigma (in bins between ``sigma_edges``), sharpness and brightness are distributed over patches."""
    edges = {"sigma_mean": sigma_edges, "sharpness": bins(float(kept["sharpness"].max())), "brightness": bins(255.0)}
    names = {
        "sigma_mean": ("Mean σ of the patches", "σ, px"),
        "sharpness": ("Sharpness of the patches", "mean gradient of the sharp picture, grey levels a px"),
        "brightness": ("Brightness of the patches", "mean grey level of the sharp picture"),
    }
    for key, (title, unit) in names.items():
        counts = {str(name): counted(rows[key].to_numpy(), edges[key]) for name, rows in kept.groupby("dataset")}
        yield Distribution(title, unit, float(kept[key].mean()), edges[key], counts)


def histograms(distributions: Sequence[Distribution], width: float = 9.6) -> "Figure":
    """A panel for each distribution, as shares of all its values, coloured by data set; ``width`` in inches.

    Two panels stand side by side, one where the figure is narrow. Past four data sets the smallest share a colour.

    Raises:
        ValueError: there is no distribution.
    """
    if not distributions:
        raise ValueError("no distribution to draw; expected at least one")
    colours = _colours(distributions)
    columns = 2 if width > 6 else 1
    rows = -(-len(distributions) // columns)
    panel_height = PANEL_HEAD + PANEL_PLOT + PANEL_FOOT
    head = LEGEND * -(-len(colours) // (5 if columns == 2 else 2)) if len(colours) > 1 else 0.0
    height = head + rows * panel_height
    panel_width = (width - RIGHT - LEFT - (columns - 1) * BETWEEN) / columns
    with house_style():
        figure = new_figure(width, height)
        for number, distribution in enumerate(distributions):
            row, column = divmod(number, columns)
            left = LEFT + column * (panel_width + BETWEEN)
            bottom = height - head - row * panel_height - PANEL_HEAD - PANEL_PLOT
            axes = figure.add_axes((left / width, bottom / height, panel_width / width, PANEL_PLOT / height))
            _draw(axes, distribution, colours)
        if len(colours) > 1:
            _legend(figure, colours, 5 if columns == 2 else 2)
    return figure


def _colours(distributions: Sequence[Distribution]) -> dict[str, str]:
    """A colour for each data set, by name; where there are more sets than colours the last ones are grey."""
    names = sorted({name for distribution in distributions for name in distribution.counts})
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS, strict=False))
    weight: dict[str, float] = dict.fromkeys(names, 0.0)
    for distribution in distributions:
        whole = sum(float(counts.sum()) for counts in distribution.counts.values()) or 1.0
        for name, counts in distribution.counts.items():
            weight[name] += float(counts.sum()) / whole
    largest = sorted(sorted(names, key=lambda name: -weight[name])[: len(COLOURS)])
    return {**dict(zip(largest, COLOURS, strict=True)), OTHERS: MUTED}


def _draw(axes: "Axes", distribution: Distribution, colours: Mapping[str, str]) -> None:
    """One histogram, data sets stacked, with its mean as a dashed line."""
    edges = distribution.edges
    whole = sum(float(counts.sum()) for counts in distribution.counts.values()) or 1.0
    base = np.zeros(len(edges) - 1)
    for name, colour in colours.items():
        members = [name] if name != OTHERS else [other for other in distribution.counts if other not in colours]
        shares = sum((distribution.counts[member] for member in members if member in distribution.counts), base * 0)
        shares = shares / whole * 100
        axes.stairs(base + shares, edges, baseline=base, fill=True, color=colour, linewidth=0)
        base = base + shares
    axes.axvline(distribution.mean, color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, float(base.max()) * 1.08 or 1.0), ylabel="share, %")
    axes.set_xlabel(distribution.unit)
    axes.set_title(distribution.title, loc="left", fontsize=9, weight="bold", color=INK, pad=7)
    axes.set_title(f"mean {distribution.mean:.3g}", loc="right", fontsize=8, color=MUTED, pad=7)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter("{x:g}")
    bare(axes)


def _legend(figure: "Figure", colours: Mapping[str, str], columns: int) -> None:
    """The data sets' colours above the panels."""
    from matplotlib.patches import Patch

    room = 34 if columns == 2 else 22  # letters
    names = [name if len(name) <= room else f"{name[: room - 1]}…" for name in colours]
    legend_above(figure, [Patch(color=colour) for colour in colours.values()], names, columns, LEFT - 0.05, 1.0)
