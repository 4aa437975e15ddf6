"""Drift: whether the photos that come in still look like those the network was trained on."""

from sftdec.drift.check import DriftLimits, DriftReport, check_drift
from sftdec.drift.picture import drift_figure
from sftdec.drift.records import append_record, read_records
from sftdec.drift.reference import find_index, training_reference
from sftdec.drift.source import Comparison, compare_with_training, incoming_statistics
from sftdec.drift.statistics import STATISTICS, DriftError, Gauge, photo_statistics

__all__ = [
    "STATISTICS",
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
    "photo_statistics",
    "read_records",
    "training_reference",
]
