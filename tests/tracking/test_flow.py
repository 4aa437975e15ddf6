"""A flow's own row."""

import time
from pathlib import Path

import pytest

from sftdec.tracking import (
    TrackingError,
    TrackingSettings,
    close_pipeline_run,
    open_pipeline_run,
    read_settings,
    track_stage,
)
from sftdec.tracking.settings import open_client
from tests.tracking.recorded import only, refused, stage_runs


def test_a_flow_has_a_row_of_its_own_and_its_stages_lie_below_it(root: Path, settings: TrackingSettings) -> None:
    with track_stage("fetch", root, settings=settings):
        pass
    row = open_pipeline_run(root, settings)
    of_flow = read_settings(root, {"SFTDEC_PIPELINE_RUN": row})
    with track_stage("fetch", root, settings=of_flow) as tracker:
        tracker.log_final_metrics({"psnr": 30.0})
    client = open_client(settings)
    assert client.get_run(row).info.status == "RUNNING"
    assert client.get_run(row).data.metrics == {"psnr": 30.0}
    assert client.get_run(row).data.params["network.size"] == "small"
    plain, nested = stage_runs(settings)
    assert plain.data.tags["mlflow.parentRunId"] != row
    assert nested.data.tags["mlflow.parentRunId"] == row
    close_pipeline_run(root, row, error="the gate said no", settings=settings)
    assert client.get_run(row).info.status == "FAILED"
    assert client.get_run(row).data.tags["error"] == "the gate said no"


def test_a_flow_learns_within_seconds_that_the_store_is_away(
    root: Path, settings: TrackingSettings, away: TrackingSettings
) -> None:
    started = time.monotonic()
    with pytest.raises(TrackingError, match="does not answer; start the MLflow server"):
        open_pipeline_run(root, away)
    with pytest.raises(TrackingError, match="does not answer"):
        close_pipeline_run(root, "0" * 32, settings=away)
    assert time.monotonic() - started < 60  # MLflow itself tries for minutes
    with pytest.raises(TrackingError, match="not found"):
        close_pipeline_run(root, "0" * 32, settings=settings)


def test_a_row_that_was_deleted_takes_no_results_but_the_stage_keeps_its_own(
    root: Path, settings: TrackingSettings
) -> None:
    gone = read_settings(root, {"SFTDEC_PIPELINE_RUN": "0" * 32})
    with track_stage("evaluate", root, settings=gone) as tracker:
        tracker.log_final_metrics({"psnr": 30.0})
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED" and run.data.metrics["psnr"] == 30.0
    (kept,) = refused(root)
    assert kept["values"] == {"psnr": 30.0}
