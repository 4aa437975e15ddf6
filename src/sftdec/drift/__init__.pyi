from .check import DriftLimits, DriftReport, check_drift
from .picture import drift_figure
from .records import append_record, read_records
from .reference import find_index, training_reference
from .source import Comparison, compare_with_training, incoming_statistics
from .statistics import STATISTICS, WINDOW, DriftError, Gauge, measure_files, photo_statistics

__all__ = [
    "STATISTICS",
    "WINDOW",
    "Comparison",
    "DriftError",
    "DriftLimits",
    "DriftReport",
    "Gauge",
    "append_record",
    "check_drift",
    "compare_with_training",
    "drift_figure",
    "find_index",
    "incoming_statistics",
    "measure_files",
    "photo_statistics",
    "read_records",
    "training_reference",
]
