"""The list of runs, which reads like a log."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sftdec.tracking import TrackingSettings, close_pipeline_run, open_pipeline_run, read_settings, track_stage
from sftdec.tracking.processes import EXECUTION, execution, is_dead, this_process
from sftdec.tracking.rows import PROCESS, create_row, what_changed
from sftdec.tracking.settings import EXPERIMENT, experiment_id, open_client
from tests.tracking.recorded import only, picture_of, runs


def test_a_row_is_named_by_what_changed_its_commit_and_its_date(settings: TrackingSettings) -> None:
    client = open_client(settings)
    experiment = experiment_id(client, settings)
    tags = {"git.commit": "abcdef0123", "git.dirty": "false", "hash.code": "1", "sftdec.lineage": "f"}
    moment = int(time.mktime((2026, 11, 29, 13, 5, 0, 0, 0, -1)) * 1000)
    rows = [
        (tags, {"train.s3.steps": "60"}),
        (tags, {"train.s3.steps": "42"}),
        (tags | {"git.dirty": "true", "hash.code": "2"}, {"train.s3.steps": "42"}),
        (tags | {"git.dirty": "true", "hash.code": "2"}, {"train.s3.steps": "42"}),
    ]
    for number, (told, params) in enumerate(rows):
        create_row(client, experiment, told, params, moment + number * 1000)
    assert [run.info.run_name for run in runs(settings)] == [
        "first execution · abcdef0 · 2026-11-29 13:05",
        "train.s3.steps 60 → 42 · abcdef0 · 2026-11-29 13:05",
        "other code · abcdef0+ · 2026-11-29 13:05",
        "again · abcdef0+ · 2026-11-29 13:05",
    ]
    many = {f"key{number}": "2" for number in range(4)}
    before = only([run for run in runs(settings) if run.info.run_name.startswith("first")])
    assert what_changed(tags, many, before) == "key0 – → 2, key1 – → 2, 3 parameters more"


def test_a_row_has_user_source_data_set_page_pictures_and_what_came_of_it(
    root: Path, settings: TrackingSettings
) -> None:
    (root / "page.html").write_text("<p>fine</p>")
    with track_stage("report", root, settings=settings) as tracker:
        tracker.dataset("scenes", root / "build", "d" * 64, 12, context="testing")
        tracker.artifact(root / "page.html", "reports", row=True)
        tracker.picture("scene/deblurred", np.full((4, 4), 7, np.uint8), row=True)
        tracker.log_row_metrics({"sample": {"psnr": 27.5}})
        tracker.log_row_metrics({"sample": {"psnr": 27.5}})
        tracker.note("version 2: promoted")
    row, stage = runs(settings)
    folder = root / "mlruns" / EXPERIMENT / row.info.run_id / "artifacts"
    assert (folder / "reports" / "page.html").is_file() and (picture_of(folder, "scene/deblurred") == 7).all()
    assert row.inputs.dataset_inputs[0].dataset.name == "scenes" and row.data.metrics == {"sample.psnr": 27.5}
    assert len(open_client(settings).get_metric_history(row.info.run_id, "sample.psnr")) == 1
    tags = row.data.tags
    assert tags["mlflow.user"] and tags["mlflow.source.name"] == "dvc.yaml"
    assert tags["mlflow.note.content"] == "version 2: promoted"
    assert stage.data.tags["mlflow.source.name"] != "dvc.yaml" and "sample.psnr" not in stage.data.metrics
    assert (row.info.start_time, row.info.end_time) == (stage.info.start_time, stage.info.end_time)


def test_a_flow_whose_evaluation_dvc_had_has_its_figures_and_its_page_on_the_row(
    root: Path, settings: TrackingSettings
) -> None:
    (root / "reports").mkdir()
    (root / "reports" / "metrics.json").write_text(json.dumps({"sample": {"psnr": 27.5, "psnr_blurred": 27.0}}))
    (root / "reports" / "report.html").write_text("<p>fine</p>")
    client, rows = open_client(settings), [open_pipeline_run(root, settings) for _ in range(2)]
    close_pipeline_run(root, rows[0], settings=settings, judged=True)
    close_pipeline_run(root, rows[1], settings=settings)  # nothing is known of its evaluation
    found = client.get_run(rows[0])
    assert found.data.metrics == {"sample.psnr": 27.5, "sample.psnr_blurred": 27.0, "sample.psnr_gain": 0.5}
    assert [file.path for file in client.list_artifacts(rows[0], "reports")] == ["reports/report.html"]
    assert client.get_run(rows[1]).data.metrics == {} and found.info.status == "FINISHED"


def test_a_flow_that_was_killed_does_not_stay_running(root: Path, settings: TrackingSettings) -> None:
    row, client = open_pipeline_run(root, settings), open_client(settings)
    with track_stage("fetch", root, settings=read_settings(root, {"SFTDEC_PIPELINE_RUN": row})):
        pass
    assert client.get_run(row).info.status == "RUNNING"  # its flow lives
    client.set_tag(row, PROCESS, dead_process())
    open_pipeline_run(root, settings)
    (stage,) = (run for run in runs(settings) if run.data.tags["sftdec.kind"] == "stage")
    killed = client.get_run(row)
    assert killed.info.status == "KILLED" and killed.info.end_time == stage.info.end_time
    assert "power" in killed.data.tags["error"]


def dead_process() -> str:
    """The name of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return f"{socket.gethostname()}:{child.pid}:1.00"


def test_a_process_is_known_as_dead_on_its_own_machine_alone() -> None:
    assert is_dead(dead_process()) and not is_dead(this_process())
    assert is_dead(f"{socket.gethostname()}:{os.getpid()}:1.00")  # its number was given again
    assert not is_dead("elsewhere:1:1.00") and not is_dead("")


def test_stages_of_one_dvc_know_their_execution(tmp_path: Path) -> None:
    dvc = tmp_path / "dvc"
    dvc.write_text(
        "import subprocess, sys\n"
        "ask = 'from sftdec.tracking.processes import execution; print(execution())'\n"
        "for _ in range(2): subprocess.run([sys.executable, '-c', ask], check=True)\n"
    )
    done = subprocess.run([sys.executable, str(dvc)], capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first == second and is_dead(first) and execution() != first


@pytest.mark.parametrize("ended", [True, False])
def test_an_execution_that_was_stopped_goes_on_in_its_row_and_another_gets_its_own(
    root: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    client = open_client(settings)
    experiment = experiment_id(client, settings)
    for number, process in enumerate((dead_process(), this_process())):
        monkeypatch.setattr("sftdec.tracking.processes.execution", lambda told=process: told)
        with track_stage("fetch", root, settings=settings):
            pass
        if number == 0 and not ended:
            (row,) = (run for run in runs(settings) if run.data.tags["sftdec.kind"] == "pipeline")
            client.set_terminated(row.info.run_id, "FAILED")
    rows = client.search_runs([experiment], "tags.`sftdec.kind` = 'pipeline'", order_by=["start_time ASC"])
    assert len(rows) == (2 if ended else 1)
    assert rows[-1].data.tags[EXECUTION] == this_process()


def test_a_stage_that_goes_on_and_those_after_it_are_one_row(
    root: Path, settings: TrackingSettings, away: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sftdec.tracking.processes.execution", dead_process)
    with pytest.raises(RuntimeError), track_stage("train_s1", root, settings=away):
        raise RuntimeError("stop")  # its spool waits, with the name of an execution that has ended
    monkeypatch.setattr("sftdec.tracking.processes.execution", this_process)
    for stage in ("train_s1", "train_s2"):
        with track_stage(stage, root, settings=settings):
            pass
    kinds = [run.data.tags["sftdec.kind"] for run in runs(settings)]
    assert sorted(kinds) == ["pipeline", "stage", "stage"]
