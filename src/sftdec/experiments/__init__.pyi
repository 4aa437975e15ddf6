from .cells import train_cell
from .comparison import OURS, Comparison, Trained, load_comparison
from .definition import (
    BUDGETS,
    Cell,
    Experiment,
    StageName,
    cell_params,
    judged_notes,
    load_experiment,
    read_cells,
    with_changes,
)
from .folds import NAME, fold_index, lay_out, write_fold
from .grid.data import data_at_hand
from .grid.fill import fill_grid
from .grid.models import models_at_hand
from .grid.table import grid_text, write_grid
from .models import fresh_network
from .published import measure_published
from .tables.costs import measure_costs, measured_picture, own_peak
from .tables.documents import read_documents, write_document
from .tables.judged import read_judged
from .tables.judging import judge_classical, judge_model
from .tables.methods import DECONVOLVED, PANEL_BUDGET
from .tables.publishing import write_panels, write_tables
from .tables.readings import default_note, readings_rows
from .tables.table3 import FINAL, table3_rows
from .teaching import objectives
from .training import train_models

__all__ = [
    "BUDGETS",
    "DECONVOLVED",
    "FINAL",
    "NAME",
    "OURS",
    "PANEL_BUDGET",
    "Cell",
    "Comparison",
    "Experiment",
    "StageName",
    "Trained",
    "cell_params",
    "data_at_hand",
    "default_note",
    "fill_grid",
    "fold_index",
    "fresh_network",
    "grid_text",
    "judge_classical",
    "judge_model",
    "judged_notes",
    "lay_out",
    "load_comparison",
    "load_experiment",
    "measure_costs",
    "measure_published",
    "measured_picture",
    "models_at_hand",
    "objectives",
    "own_peak",
    "read_cells",
    "read_documents",
    "read_judged",
    "readings_rows",
    "table3_rows",
    "train_cell",
    "train_models",
    "with_changes",
    "write_document",
    "write_fold",
    "write_grid",
    "write_panels",
    "write_tables",
]
