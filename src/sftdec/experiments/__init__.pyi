from .cells import train_cell
from .comparison import BUDGETS, OURS, Comparison, Trained, load_comparison
from .definition import (
    Cell,
    Experiment,
    PhotosParams,
    cell_params,
    check_cells,
    load_experiment,
    with_changes,
)
from .folds import NAME, WHEELS, fold_index, lay_out, write_fold
from .grid.data import data_at_hand
from .grid.fill import fill_grid
from .grid.models import models_at_hand
from .grid.table import grid_rows, grid_text, write_grid
from .models import fresh_network
from .published import measure_published
from .tables.costs import counted, measure_costs, measured_picture, own_peak
from .tables.documents import read_documents, write_cells
from .tables.judged import judge_method, read_judged
from .tables.methods import PANEL_BUDGET, trained_model
from .tables.publishing import write_panels, write_tables
from .teaching import objectives
from .training import train_models

__all__ = [
    "BUDGETS",
    "NAME",
    "OURS",
    "PANEL_BUDGET",
    "WHEELS",
    "Cell",
    "Comparison",
    "Experiment",
    "PhotosParams",
    "Trained",
    "cell_params",
    "check_cells",
    "counted",
    "data_at_hand",
    "fill_grid",
    "fold_index",
    "fresh_network",
    "grid_rows",
    "grid_text",
    "judge_method",
    "lay_out",
    "load_comparison",
    "load_experiment",
    "measure_costs",
    "measure_published",
    "measured_picture",
    "models_at_hand",
    "objectives",
    "own_peak",
    "read_documents",
    "read_judged",
    "train_cell",
    "train_models",
    "trained_model",
    "with_changes",
    "write_cells",
    "write_fold",
    "write_grid",
    "write_panels",
    "write_tables",
]
