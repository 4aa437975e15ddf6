import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from sftdec.tracking import (
    TrackingError,
    TrackingSettings,
    checksum,
    close_pipeline_run,
    lineage,
    open_pipeline_run,
    read_settings,
    send_pending,
    track_stage,
)
from sftdec.tracking.sender import Sender, StoreAway
from sftdec.tracking.settings import EXPERIMENT, experiment_id, open_client
from sftdec.tracking.spool import Spool, pending_spools
from sftdec.tracking.system import SystemSampler


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the schema but no experiment; making it takes seconds, copying it nothing."""
    root = tmp_path_factory.mktemp("store")
    open_client(read_settings(root, {})).search_experiments()
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    """A project with parameters, data, source and an empty store."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    (tmp_path / "params.yaml").write_text("network: {size: small}\ntrain: {common: {seed: 3}}\n")
    (tmp_path / "data.dvc").write_text("outs: []\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("answer = 42\n")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> TrackingSettings:
    return read_settings(root, {})


@pytest.fixture
def away(root: Path) -> TrackingSettings:
    """The address of a server that is not there: a port nobody listens on."""
    return read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def runs(settings: TrackingSettings) -> list[Run]:
    """All runs, oldest first, a row before its first stage."""
    client = open_client(settings)
    found = client.search_runs([experiment_id(client, settings)])
    return sorted(found, key=lambda run: (run.info.start_time, run.data.tags["sftdec.kind"]))


def stage_runs(settings: TrackingSettings) -> list[Run]:
    return [run for run in runs(settings) if run.data.tags["sftdec.kind"] == "stage"]


def only(found: list[Run]) -> Run:
    assert len(found) == 1
    return found[0]


def steps(settings: TrackingSettings, run: Run, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in open_client(settings).get_metric_history(run.info.run_id, key)]


# lineage


def test_a_folders_checksum_depends_on_names_and_contents_and_on_nothing_else(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x.txt").write_text(text)
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b")
    assert checksum(tmp_path / "a") != checksum(tmp_path / "c")
    (tmp_path / "b" / "sub" / "x.txt").rename(tmp_path / "b" / "sub" / "y.txt")
    assert checksum(tmp_path / "a") != checksum(tmp_path / "b")


def test_the_checksum_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("abc")
    assert checksum(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_the_checksum_of_nothing_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
        checksum(tmp_path / "gone.txt")


@pytest.mark.parametrize("changed", ["params.yaml", "data.dvc", "dvc.yaml", "src/code.py"])
def test_the_lineage_tag_changes_with_what_defines_an_execution(root: Path, changed: str) -> None:
    before = lineage(root).tag
    assert lineage(root).tag == before
    (root / changed).write_text("new: 1\n")
    assert lineage(root).tag != before


def test_what_stages_and_python_write_does_not_change_the_lineage_tag(root: Path) -> None:
    before = lineage(root)
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    (root / "src" / "__pycache__").mkdir()
    (root / "src" / "__pycache__" / "code.pyc").write_text("")
    after = lineage(root)
    assert after.tag == before.tag
    assert before.lock is None and after.lock is not None


def test_outside_git_a_lineage_has_no_commit_and_inside_it_knows_whether_the_source_is_committed(
    root: Path,
) -> None:
    assert lineage(root).commit is None
    assert "git.dirty" not in lineage(root).tags()
    outside = lineage(root).tag
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    clean = lineage(root)
    assert clean.commit is not None and len(clean.commit) == 40
    assert clean.tags()["git.dirty"] == "false"
    assert clean.tag == outside
    (root / "src" / "new.py").write_text("not yet added\n")
    assert lineage(root).dirty
    assert lineage(root).tag != clean.tag


def test_settings_come_from_the_environment_that_is_given(root: Path) -> None:
    default = read_settings(root, {})
    assert default.uri == f"sqlite:///{root / 'mlflow.db'}" and default.enabled and not default.is_remote
    assert default.artifact_location == (root / "mlruns" / EXPERIMENT).as_uri()
    given = {"MLFLOW_TRACKING_URI": "https://host:1", "SFTDEC_TRACKING": "off", "SFTDEC_PIPELINE_RUN": "abc"}
    assert read_settings(root, given) == TrackingSettings("https://host:1", None, False, "abc")


# the spool


def test_a_spool_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first = Spool.acquire(tmp_path / "one", create=True)
    assert first is not None
    assert Spool.acquire(tmp_path / "one") is None
    first.release()
    assert Spool.acquire(tmp_path / "one") is not None


def test_there_is_no_spool_where_nothing_was_spooled(tmp_path: Path) -> None:
    assert Spool.acquire(tmp_path / "none") is None
    assert pending_spools(tmp_path) == []


def test_a_half_written_event_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    spool = Spool.acquire(tmp_path / "one", create=True)
    assert spool is not None
    assert spool.header is None
    spool.append({"kind": "open", "time": 1})
    spool.release()
    with (tmp_path / "one" / "events.jsonl").open("a") as opened:
        opened.write('{"kind": "metr')
    again = Spool.acquire(tmp_path / "one")
    assert again is not None
    again.append({"kind": "close", "time": 2})
    assert [event["kind"] for event, _ in again.read(0)] == ["open", "close"]


def test_a_broken_line_in_the_middle_does_not_hide_what_follows(tmp_path: Path) -> None:
    spool = Spool.acquire(tmp_path / "one", create=True)
    assert spool is not None
    spool.append({"kind": "open", "time": 1})
    with (tmp_path / "one" / "events.jsonl").open("a") as opened:
        opened.write('{"kind": "me\n')
    spool.append({"kind": "close", "time": 2})
    assert [event["kind"] for event, _ in spool.read(0)] == ["open", "close"]


# a stage and its run


def test_a_stage_leaves_a_finished_run_with_all_it_recorded_and_no_spool(
    root: Path, settings: TrackingSettings
) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    (root / "report.html").write_text("<p>fine</p>")
    (root / "figures" / "inner").mkdir(parents=True)
    (root / "figures" / "inner" / "gain.txt").write_text("2 dB")
    with track_stage("train_s1", root, params={"rate": {"first": 1e-4}}, progress_hint=10, settings=settings) as t:
        for step in (0, 5):
            t.metrics({"loss": 1.0 / (step + 1), "weird=name": 2.0}, step)
        t.tags({"note": "a" * 9000})
        t.dataset("sample", root / "build" / "patches", "d" * 64, rows=12, profile={"sigma_mean": 1.5})
        t.picture("validation/step_00005.png", picture)
        t.artifact(root / "report.html", "reports")
        t.artifact(root / "figures")
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED" and run.info.run_name == "train_s1"
    assert run.data.params == {"rate.first": "0.0001"}
    assert steps(settings, run, "loss") == [(0, 1.0), (5, 1.0 / 6)]
    assert steps(settings, run, "progress") == [(0, 0.0), (5, 0.5)]
    assert run.data.metrics["weird_name"] == 2.0
    assert len(run.data.tags["note"]) == 5000
    dataset = only_input(run)
    assert (dataset.name, json.loads(dataset.profile)) == ("sample", {"num_rows": 12, "sigma_mean": 1.5})
    assert json.loads(dataset.source) == {"uri": "build/patches"}
    folder = root / "mlruns" / EXPERIMENT / run.info.run_id / "artifacts"
    assert np.array_equal(np.asarray(Image.open(folder / "validation" / "step_00005.png")), picture)
    assert (folder / "reports" / "report.html").read_text() == "<p>fine</p>"
    assert (folder / "figures" / "inner" / "gain.txt").read_text() == "2 dB"
    assert pending_spools(root) == []


def only_input(run: Run) -> types.SimpleNamespace:
    (found,) = run.inputs.dataset_inputs
    return found.dataset


def test_the_stages_of_an_execution_lie_below_one_row_that_bears_parameters_and_results(
    root: Path, settings: TrackingSettings
) -> None:
    weights = root / "build" / "s1.safetensors"
    with track_stage("train_s1", root, settings=settings) as tracker:
        weights.parent.mkdir()
        weights.write_bytes(b"weights")
        tracker.writes([Path("build/s1.safetensors")])
    with track_stage("evaluate", root, reads=[weights], settings=settings) as tracker:
        results = {
            "sample": {"psnr": 26.5, "psnr_blurred": 24.0, "mae_constant": None, "images": 8},
            "mean": 1.0,
        }
        tracker.log_final_metrics(results)
    parent, first, second = runs(settings)
    assert parent.data.tags["sftdec.lineage"] == lineage(root).tag
    assert parent.data.params == {"network.size": "small", "train.common.seed": "3"}
    expected = {
        "sample.psnr": 26.5,
        "sample.psnr_blurred": 24.0,
        "sample.psnr_gain": 2.5,
        "sample.images": 8.0,
        "mean": 1.0,
    }
    assert parent.data.metrics == expected
    assert expected.items() <= second.data.metrics.items()
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in (first, second)} == {parent.info.run_id}
    assert first.data.tags["out.build/s1.safetensors"] == checksum(weights)
    assert second.data.tags["in.build/s1.safetensors"] == checksum(weights)
    assert second.data.tags["upstream.build/s1.safetensors"] == first.info.run_id


def test_an_execution_with_other_parameters_is_another_row(root: Path, settings: TrackingSettings) -> None:
    with track_stage("fetch", root, settings=settings):
        pass
    (root / "params.yaml").write_text("network: {size: paper}\n")
    with track_stage("fetch", root, settings=settings):
        pass
    rows = [run for run in runs(settings) if run.data.tags["sftdec.kind"] == "pipeline"]
    assert [row.data.params["network.size"] for row in rows] == ["small", "paper"]


def test_a_stage_that_raises_is_failed_and_goes_on_in_the_same_run_when_it_is_repeated(
    root: Path, settings: TrackingSettings
) -> None:
    with (
        pytest.raises(RuntimeError, match="no memory"),
        track_stage("train_s1", root, settings=settings) as tracker,
    ):
        tracker.metrics({"loss": 3.0}, 0)
        raise RuntimeError("no memory")
    failed = only(stage_runs(settings))
    assert failed.info.status == "FAILED"
    assert failed.data.tags["error"] == "RuntimeError: no memory"
    with track_stage("train_s1", root, settings=settings) as tracker:
        assert tracker.run_id() == failed.info.run_id
        tracker.metrics({"loss": 2.0}, 1)
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED"
    assert steps(settings, run, "loss") == [(0, 3.0), (1, 2.0)]


def test_a_clean_exit_inside_a_stage_is_no_failure(root: Path, settings: TrackingSettings) -> None:
    with pytest.raises(SystemExit), track_stage("fetch", root, settings=settings):
        sys.exit(0)
    assert only(stage_runs(settings)).info.status == "FINISHED"


def test_a_finished_stage_that_is_executed_again_gets_a_run_of_its_own(root: Path, settings: TrackingSettings) -> None:
    for _ in range(2):
        with track_stage("fetch", root, settings=settings) as tracker:
            tracker.metrics({"scenes": 4.0}, 0)
    assert [run.info.status for run in stage_runs(settings)] == ["FINISHED", "FINISHED"]


def test_thousands_of_metrics_arrive_complete_and_in_order(root: Path, settings: TrackingSettings) -> None:
    with track_stage("train_s1", root, settings=settings) as tracker:
        for step in range(2500):
            tracker.metrics({"loss": float(step)}, step)
    run = only(stage_runs(settings))
    assert steps(settings, run, "loss") == [(step, float(step)) for step in range(2500)]


def test_many_parameters_and_tags_arrive_in_several_calls(root: Path, settings: TrackingSettings) -> None:
    many = {f"key{number}": number for number in range(230)}
    with track_stage("train_s1", root, params=many, settings=settings) as tracker:
        tracker.tags(many)
    run = only(stage_runs(settings))
    assert len(run.data.params) == 230
    assert many.keys() <= run.data.tags.keys()


def test_recording_does_not_wait_for_the_store(root: Path, away: TrackingSettings) -> None:
    with track_stage("train_s1", root, settings=away) as tracker:
        started = time.monotonic()
        for step in range(1000):
            tracker.metrics({"loss": 1.0, "rate": 2.0}, step)
        assert time.monotonic() - started < 1.0


def test_tracking_that_is_switched_off_leaves_nothing_behind(root: Path) -> None:
    with track_stage("train_s1", root, enabled=False) as tracker:
        tracker.metrics({"loss": 1.0}, 0)
        tracker.picture("a.png", np.zeros((4, 4), np.uint8))
        tracker.artifact(root / "params.yaml")
        tracker.writes([Path("params.yaml")])
        tracker.log_final_metrics({"psnr": 1.0})
        assert tracker.run_id() is None
    assert not (root / ".tracking").exists()
    assert send_pending(root, read_settings(root, {"SFTDEC_TRACKING": "off"})) == 0


def test_a_picture_that_is_no_picture_and_a_file_that_is_not_there_are_refused(root: Path) -> None:
    with track_stage("train_s1", root, enabled=False) as tracker:
        with pytest.raises(ValueError, match=r"float64 \(4, 4\)"):
            tracker.picture("a.png", np.zeros((4, 4)))
        with pytest.raises(FileNotFoundError, match="gone"):
            tracker.artifact(root / "gone.html")


def test_a_spool_that_can_not_be_written_does_not_stop_the_stage(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    (root / ".tracking").write_text("a file where the folder should be")
    with track_stage("fetch", root, settings=settings) as tracker:
        tracker.metrics({"loss": 1.0}, 0)
    assert "untracked" in caplog.text


def test_an_input_that_is_not_there_is_left_out_of_the_lineage(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with track_stage("fetch", root, reads=[Path("missing.bin"), Path("data.dvc")], settings=settings):
        pass
    tags = only(stage_runs(settings)).data.tags
    assert "in.data.dvc" in tags and "in.missing.bin" not in tags
    assert "missing.bin" in caplog.text


def test_the_machine_is_sampled_while_a_stage_runs(root: Path, settings: TrackingSettings) -> None:
    with track_stage("train_s1", root, settings=settings):
        time.sleep(1.5)
    sampled = only(stage_runs(settings)).data.metrics
    assert sampled["system/process_memory_usage_megabytes"] > 10
    assert 0 < sampled["system/system_memory_usage_percentage"] <= 100


def test_a_gpu_is_sampled_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("pynvml")
    library.nvmlInit = lambda: None  # type: ignore[attr-defined]
    library.nvmlDeviceGetCount = lambda: 1  # type: ignore[attr-defined]
    library.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    library.nvmlDeviceGetUtilizationRates = lambda _: types.SimpleNamespace(gpu=40)  # type: ignore[attr-defined]
    library.nvmlDeviceGetMemoryInfo = lambda _: types.SimpleNamespace(used=3e9)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", library)
    sampled = SystemSampler().sample()
    assert sampled["system/gpu_0_utilization_percentage"] == 40.0
    assert sampled["system/gpu_0_memory_usage_megabytes"] == 3000.0


# a flow's own row


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
    assert time.monotonic() - started < 2
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
    refused = json.loads((root / ".tracking" / "refused.jsonl").read_text())
    assert refused["event"]["values"] == {"psnr": 30.0}


# a store that is away, and processes that die


def test_a_server_that_is_away_costs_seconds_and_its_stages_are_sent_later_once_and_in_order(
    root: Path, settings: TrackingSettings, away: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with track_stage("train_s1", root, settings=away) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
        tracker.picture("a.png", np.zeros((4, 4), np.uint8))
        (root / "w").write_text("weights")
        tracker.writes([Path("w")])
    with track_stage("train_s2", root, reads=[Path("w")], settings=away) as tracker:
        tracker.metrics({"loss": 2.0}, 0)
    assert time.monotonic() - started < 5
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
    assert (root / "mlruns" / EXPERIMENT / first.info.run_id / "artifacts" / "a.png").is_file()


def test_the_next_stage_sends_what_an_earlier_one_could_not(
    root: Path, settings: TrackingSettings, away: TrackingSettings
) -> None:
    with track_stage("train_s1", root, settings=away) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
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


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


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


def test_a_stage_never_imports_mlflow_for_a_server_that_is_away(root: Path, away: TrackingSettings) -> None:
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
        away.uri,
    )
    assert done.stdout.strip() == "False", done.stderr


def spooled(root: Path, settings: TrackingSettings) -> Spool:
    """A spool with two metrics and an artifact, sent to its end but not deleted."""
    spool = Spool.acquire(root / ".tracking" / "train_s1-1234", create=True)
    assert spool is not None
    tags = {"sftdec.lineage": "f" * 64, "sftdec.kind": "stage"}
    header = {"kind": "open", "time": 1000, "stage": "train_s1", "tags": tags}
    spool.append(header | {"pipeline_run": None, "pipeline_params": {}})
    file = spool.new_file("a.txt")
    file.write_text("artifact")
    place = file.relative_to(spool.folder).as_posix()
    for step in (0, 1):
        spool.append({"kind": "metrics", "time": 1000 + step, "step": step, "values": {"loss": step + 0.5}})
    spool.append({"kind": "artifact", "time": 1002, "file": place, "folder": ""})
    Sender(settings, root).send(spool)
    assert spool.sent == (spool.folder / "events.jsonl").stat().st_size
    return spool


@pytest.mark.parametrize("forgotten", [["sent"], ["sent", "run"]])
def test_sending_again_what_was_sent_makes_no_duplicates(
    root: Path, settings: TrackingSettings, forgotten: list[str]
) -> None:
    spool = spooled(root, settings)
    for name in forgotten:  # the process died between the store's answer and the note of it
        (spool.folder / name).unlink()
    Sender(settings, root).send(spool)
    run = only(stage_runs(settings))
    assert steps(settings, run, "loss") == [(0, 0.5), (1, 1.5)]


def test_a_store_that_was_replaced_in_the_middle_gets_the_whole_run(
    root: Path, settings: TrackingSettings, empty_database: Path
) -> None:
    spool = spooled(root, settings)
    other = root / "other"
    other.mkdir()
    shutil.copy(empty_database, other / "mlflow.db")
    replaced = read_settings(other, {})
    spool.append({"kind": "metrics", "time": 1002, "step": 2, "values": {"loss": 2.5}})
    sender = Sender(replaced, root)
    with pytest.raises(StoreAway, match="lost the run"):
        sender.send(spool)
    sender.send(spool)
    assert steps(replaced, only(stage_runs(replaced)), "loss") == [(0, 0.5), (1, 1.5), (2, 2.5)]


def test_a_record_that_the_store_refuses_is_set_aside_and_the_others_arrive(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    for rate in ("1", "2"):
        with (
            pytest.raises(RuntimeError),
            track_stage("train_s1", root, {}, {"rate": rate}, settings=settings) as t,
        ):
            t.metrics({"loss": float(rate)}, int(rate))
            raise RuntimeError("stop")
    run = only(stage_runs(settings))
    assert run.data.params == {"rate": "1"}
    assert steps(settings, run, "loss") == [(1, 1.0), (2, 2.0)]
    assert "refused" in caplog.text
    refused = json.loads((root / ".tracking" / "refused.jsonl").read_text())
    assert refused["event"]["values"] == {"rate": "2"}


def test_runs_wait_while_the_experiment_is_deleted(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(settings)
    identifier = experiment_id(client, settings)
    client.delete_experiment(identifier)
    with track_stage("fetch", root, settings=settings, deadline=1.0):
        pass
    assert f"mlflow experiments restore --experiment-id {identifier}" in caplog.text
    assert len(pending_spools(root)) == 1
    client.restore_experiment(identifier)
    deadline = time.monotonic() + 10
    while send_pending(root, settings) == 0:  # the thread that gave up lets go of its spool within a second
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert only(stage_runs(settings)).info.status == "FINISHED"


def test_a_closing_stage_gives_a_database_that_can_not_serve_just_now_its_time(
    root: Path, settings: TrackingSettings
) -> None:
    client = open_client(settings)
    identifier = experiment_id(client, settings)
    client.delete_experiment(identifier)
    threading.Timer(1.0, client.restore_experiment, [identifier]).start()
    with track_stage("fetch", root, settings=settings):
        pass
    assert only(stage_runs(settings)).info.status == "FINISHED"
    assert pending_spools(root) == []


def test_a_bug_in_the_sending_does_not_reach_the_stage(
    root: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Sender, spool: Spool) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Sender, "send", broken)
    with track_stage("fetch", root, settings=settings, deadline=0.5):
        pass
    assert "a bug" in caplog.text
    assert len(pending_spools(root)) == 1


def test_tracking_is_silent(root: Path) -> None:
    (root / "mlflow.db").unlink()  # so that the migrations run, too
    done = run_python(
        """
        import logging, sys
        logging.basicConfig(level=logging.INFO)
        from pathlib import Path
        from sftdec.tracking import track_stage
        with track_stage("fetch", Path(sys.argv[1])) as tracker:
            tracker.metrics({"loss": 1.0}, 0)
        """,
        str(root),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# a real server


@pytest.fixture
def server(tmp_path: Path) -> Iterator["Server"]:
    started = Server(tmp_path)
    yield started
    started.stop()


class Server:
    """A real `mlflow server` on loopback, which can be killed and brought back on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=self.folder
        )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                MlflowClient(f"http://127.0.0.1:{self.port}").search_experiments()
                return
            except Exception:
                time.sleep(0.5)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back_gets_every_metric_in_order(
    root: Path, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.port}"})
    server.start()
    with track_stage("train_s1", root, settings=settings) as tracker:
        for step in range(60):
            if step == 20:
                assert tracker.run_id() is not None
                server.stop()
            if step == 40:
                server.start()
            tracker.metrics({"loss": float(step)}, step)
            time.sleep(0.05)
        tracker.picture("validation/last.png", np.zeros((4, 4, 3), np.uint8))
    if pending_spools(root):  # the stage closed before the server was asked again
        assert send_pending(root, settings) == 1
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED"
    assert steps(settings, run, "loss") == [(step, float(step)) for step in range(60)]
    assert open_client(settings).list_artifacts(run.info.run_id, "validation")[0].path == "validation/last.png"
