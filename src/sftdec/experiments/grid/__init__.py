"""The grid: every model at hand measured on every data set at hand, each cell once."""

from sftdec.experiments.grid.data import GridData, data_at_hand
from sftdec.experiments.grid.fill import Grid, fill_grid
from sftdec.experiments.grid.models import GridModel, models_at_hand
from sftdec.experiments.grid.store import Cell, CellStore
from sftdec.experiments.grid.table import grid_text, write_grid

__all__ = [
    "Cell",
    "CellStore",
    "Grid",
    "GridData",
    "GridModel",
    "data_at_hand",
    "fill_grid",
    "grid_text",
    "models_at_hand",
    "write_grid",
]
