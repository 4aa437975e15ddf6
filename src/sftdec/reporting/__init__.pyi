from .crops import choose_crops
from .document import Block, Cell, Document, Sheet, Spread, markdown
from .figures import add_axes, add_colour_bar, decibels, draw_boxes, gain_colour, show, show_window
from .gallery import Gallery, load_comparisons, save_comparisons
from .plots import gain_plot, training_curves
from .report.material import Material
from .report.page import write_report
from .style import (
    BETTER,
    CROPS,
    INK,
    MUTED,
    RULE,
    WORSE,
    bare,
    house_style,
    new_figure,
    png_bytes,
    save_figure,
)

__all__ = [
    "BETTER",
    "CROPS",
    "INK",
    "MUTED",
    "RULE",
    "WORSE",
    "Block",
    "Cell",
    "Document",
    "Gallery",
    "Material",
    "Sheet",
    "Spread",
    "add_axes",
    "add_colour_bar",
    "bare",
    "choose_crops",
    "decibels",
    "draw_boxes",
    "gain_colour",
    "gain_plot",
    "house_style",
    "load_comparisons",
    "markdown",
    "new_figure",
    "png_bytes",
    "save_comparisons",
    "save_figure",
    "show",
    "show_window",
    "training_curves",
    "write_report",
]
