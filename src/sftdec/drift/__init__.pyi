from .check import DriftLimits, DriftReport, check_drift
from .records import append_record
from .reference import find_index
from .source import Comparison, compare_with_training
from .statistics import STATISTICS, WINDOW, Gauge, measure_files

__all__ = [
    "STATISTICS",
    "WINDOW",
    "Comparison",
    "DriftLimits",
    "DriftReport",
    "Gauge",
    "append_record",
    "check_drift",
    "compare_with_training",
    "find_index",
    "measure_files",
]
