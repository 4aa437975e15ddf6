"""Experiment tracking: one MLflow row an execution of the pipeline, its stages nested below, nothing lost."""

from sftdec.tracking.lineage import Lineage, checksum, lineage
from sftdec.tracking.runs import close_pipeline_run, open_pipeline_run
from sftdec.tracking.sender import send_pending
from sftdec.tracking.settings import TrackingError, TrackingSettings, read_settings
from sftdec.tracking.stage import StageTracker, track_stage

__all__ = [
    "Lineage",
    "StageTracker",
    "TrackingError",
    "TrackingSettings",
    "checksum",
    "close_pipeline_run",
    "lineage",
    "open_pipeline_run",
    "read_settings",
    "send_pending",
    "track_stage",
]
