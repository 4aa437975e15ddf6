"""One look for all figures and the report: colours, type and how a figure becomes a file."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sftdec.photos import coloured
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#66727f"
RULE = "#d5dbe1"
BETTER = "#0f766e"
WORSE = "#b4443c"
AMBER = "#c97b12"
VIOLET = "#6d5bae"
CROPS = ("#ff9f1c", "#2ec4ff")  # seen on any photo
DPI = 160

_TYPE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    "path.simplify_threshold": 1 / 9,
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
    "savefig.bbox": None,
    "axes.unicode_minus": True,
    "text.usetex": False,
}


def defocus_colours() -> "Colormap":
    """The colours of all maps, ``photos.coloured``, as matplotlib takes them."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(coloured(np.linspace(0, 1, 256, dtype=np.float32)) / 255)


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with this project's type and colours, whatever the user has set; undone after."""
    import matplotlib

    settings: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    settings.update(_TYPE)
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float, dpi: int = DPI) -> "Figure":
    """An empty figure of `width` × `height` inches that draws with Agg and is known to no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(round(width * dpi) / dpi, round(height * dpi) / dpi), dpi=dpi)
    FigureCanvasAgg(figure)
    return figure


def bare(axes: "Axes") -> None:
    """Leave an axes its left and bottom line and a quiet horizontal grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=3, width=0.8)
    axes.grid(axis="y", color=RULE, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)


def png_bytes(figure: "Figure") -> bytes:
    """The figure as PNG without the metadata that matplotlib adds: equal figures give equal bytes."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save_figure(figure: "Figure", path: Path) -> Path:
    """Write the figure as PNG, whole or not at all, and return `path`.

    Raises:
        OSError: the file can't be written.
    """
    content = png_bytes(figure)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def legend_above(
    figure: "Figure", handles: Sequence[Any], labels: Sequence[str], columns: int, left: float, handle: float
) -> None:
    """A legend above a figure's panels, ``left`` inches from its edge; a dollar sign in a label is one.

    ``handle``: the length of the handles, in letters.
    """
    legend = figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(left / figure.get_size_inches()[0], 1),
        ncols=columns,
        handlelength=handle,
        columnspacing=1.6,
        borderaxespad=0.4,
        borderpad=0.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
