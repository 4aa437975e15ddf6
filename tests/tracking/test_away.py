"""A store that is away, and processes that die."""

import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sftdec.tracking import TrackingSettings, background, send_pending, track_stage
from sftdec.tracking.settings import EXPERIMENT
from sftdec.tracking.spool import pending_spools
from tests.tracking.recorded import only, picture_of, run_python, stage_runs, steps


def test_a_server_that_is_away_costs_seconds_and_its_stages_are_sent_later_once_and_in_order(
    root: Path, settings: TrackingSettings, away: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with track_stage("train_s1", root, settings=away) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
        tracker.picture("a", np.zeros((4, 4), np.uint8))
        (root / "w").write_text("weights")
        tracker.writes([Path("w")])
    with track_stage("train_s2", root, reads=[Path("w")], settings=away) as tracker:
        tracker.metrics({"loss": 2.0}, 0)
    assert time.monotonic() - started < 60  # MLflow itself tries for minutes
    assert "sent by the next stage" in caplog.text
    assert send_pending(root, away) == 0
    assert len(pending_spools(root)) == 2

    assert send_pending(root, settings) == 2
    assert send_pending(root, settings) == 0
    first, second = stage_runs(settings)
    assert [run.info.run_name for run in (first, second)] == ["train_s1", "train_s2"]
    assert [run.info.status for run in (first, second)] == ["FINISHED", "FINISHED"]
    assert steps(settings, first, "loss") == [(0, 3.0)]
    assert second.data.tags["upstream.w"] == first.info.run_id
    assert not picture_of(root / "mlruns" / EXPERIMENT / first.info.run_id / "artifacts", "a").any()


def test_the_next_stage_sends_what_an_earlier_one_could_not(
    root: Path, settings: TrackingSettings, away: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with track_stage("train_s1", root, settings=away) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
    assert "does not answer; the run waits in" in caplog.text
    with track_stage("train_s2", root, settings=settings):
        pass
    assert {run.info.run_name for run in stage_runs(settings)} == {"train_s1", "train_s2"}
    assert pending_spools(root) == []


def test_a_repeated_stage_does_not_mix_with_a_finished_one_that_still_waits(
    root: Path, settings: TrackingSettings, away: TrackingSettings
) -> None:
    for value in (1.0, 2.0):
        with track_stage("fetch", root, settings=away) as tracker:
            tracker.metrics({"scenes": value}, 0)
    assert send_pending(root, settings) == 2
    assert [steps(settings, run, "scenes") for run in stage_runs(settings)] == [[(0, 1.0)], [(0, 2.0)]]


def test_a_killed_process_leaves_a_failed_run_with_all_it_had_recorded(root: Path, settings: TrackingSettings) -> None:
    killed = run_python(
        """
        import os, signal, sys
        from pathlib import Path
        from sftdec.tracking import track_stage
        with track_stage("train_s1", Path(sys.argv[1])) as tracker:
            for step in range(100):
                tracker.metrics({"loss": float(step)}, step)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(root),
    )
    assert killed.returncode == -9
    assert send_pending(root, settings) == 1
    run = only(stage_runs(settings))
    assert run.info.status == "FAILED" and "killed" in run.data.tags["error"]
    assert steps(settings, run, "loss") == [(step, float(step)) for step in range(100)]
    with track_stage("train_s1", root, settings=settings) as tracker:  # the resumed stage
        tracker.metrics({"loss": 100.0}, 100)
    resumed = only(stage_runs(settings))
    assert resumed.info.run_id == run.info.run_id and resumed.info.status == "FINISHED"
    assert len(steps(settings, resumed, "loss")) == 101


def test_a_stage_imports_no_mlflow_beside_its_own_imports(root: Path, settings: TrackingSettings) -> None:
    done = run_python(
        """
        import os, sys
        from pathlib import Path
        os.environ["MLFLOW_TRACKING_URI"] = sys.argv[2]
        from sftdec.tracking import track_stage
        with track_stage("train_s1", Path(sys.argv[1])) as tracker:
            tracker.metrics({"loss": 1.0}, 0)
        print("mlflow" in sys.modules)
        """,
        str(root),
        settings.uri,
    )
    assert done.stdout.strip() == "False", done.stderr
    assert only(stage_runs(settings)).data.metrics["loss"] == 1.0


def test_the_sending_imports_no_mlflow_for_a_server_that_is_away(root: Path, away: TrackingSettings) -> None:
    done = run_python(
        """
        import sys
        from pathlib import Path
        from sftdec.tracking.delivery import Delivery
        from sftdec.tracking.sender import Sender
        from sftdec.tracking.settings import read_settings
        from sftdec.tracking.spool import Spool
        root = Path(sys.argv[1])
        spool = Spool.acquire(root / ".tracking" / "train_s1-1", create=True)
        spool.append({"kind": "open", "time": 1, "stage": "train_s1", "tags": {}, "pipeline_run": None})
        delivery = Delivery(spool, Sender(read_settings(root, {"MLFLOW_TRACKING_URI": sys.argv[2]}), root), {})
        delivery.start()
        print(delivery.finish(5.0), "mlflow" in sys.modules)
        """,
        str(root),
        away.uri,
    )
    assert done.stdout.strip() == f"{away.uri} does not answer False", done.stderr


def test_a_stage_runs_on_where_no_process_can_be_started(
    root: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "SENDS", [str(root / "no-python")])
    with track_stage("train_s1", root, settings=settings) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
    assert "no process that sends could be started" in caplog.text and "the run waits in" in caplog.text
    assert send_pending(root, settings) == 1
    assert steps(settings, only(stage_runs(settings)), "loss") == [(0, 3.0)]


@pytest.mark.own_process
def test_a_process_that_sends_and_is_killed_leaves_the_rest_to_the_next_stage(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with track_stage("train_s1", root, settings=settings) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
        the_process_that_sends().kill()
    assert "the process that sends ended with -9; the run waits in" in caplog.text
    with track_stage("train_s2", root, settings=settings):
        pass
    first, _ = stage_runs(settings)
    assert first.info.status == "FINISHED" and steps(settings, first, "loss") == [(0, 3.0)]


def the_process_that_sends() -> psutil.Process:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # a process that has just begun has no command line yet
        for child in psutil.Process().children():
            if "sftdec.tracking.delivering" in child.cmdline():
                return child
    raise AssertionError("no process sends")
