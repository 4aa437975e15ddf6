from .cell_runs import CellRun, CellRuns, now_ms
from .processes import user_name
from .provenance import CHANGED, MADE_BY, WEIGHTS, origin_of, recorded_outs
from .runs import close_pipeline_run, is_number, open_pipeline_run
from .sender import send_pending
from .settings import (
    TrackingError,
    TrackingSettings,
    experiment_id,
    fluent_store,
    in_a_sentence,
    open_client,
    read_settings,
)
from .spool import FOLDER
from .stage import track_stage

__all__ = [
    "CHANGED",
    "FOLDER",
    "MADE_BY",
    "WEIGHTS",
    "CellRun",
    "CellRuns",
    "TrackingError",
    "TrackingSettings",
    "close_pipeline_run",
    "experiment_id",
    "fluent_store",
    "in_a_sentence",
    "is_number",
    "now_ms",
    "open_client",
    "open_pipeline_run",
    "origin_of",
    "read_settings",
    "recorded_outs",
    "send_pending",
    "track_stage",
    "user_name",
]
