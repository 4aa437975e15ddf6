"""A stage and its run."""

import errno
import json
import os
import shutil
import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from sftdec.lineage.commits import lineage
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings, send_pending, track_stage
from sftdec.tracking.settings import EXPERIMENT, experiment_id, open_client
from sftdec.tracking.spool import pending_spools
from sftdec.tracking.system import SystemSampler
from tests.tracking.recorded import only, only_input, picture_of, runs, stage_runs, steps


def test_a_stage_leaves_a_finished_run_with_all_it_recorded_and_no_spool(
    root: Path, settings: TrackingSettings
) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    (root / "report.html").write_text("<p>fine</p>")
    (root / "figures" / "inner").mkdir(parents=True)
    (root / "figures" / "inner" / "gain.txt").write_text("2 dB")
    with track_stage("train_s1", root, [root / "src"], {"rate": {"first": 1e-4}}, settings=settings) as t:
        for step in (0, 5):
            t.metrics({"step": step, "loss": 1.0 / (step + 1), "weird=name": 2.0}, step)
        t.tags({"note": "a" * 9000})
        t.dataset("sample", root / "build" / "patches", "d" * 64, rows=12, profile={"sigma_mean": 1.5})
        t.picture("validation/s1", picture, 5)
        t.artifact(root / "report.html", "reports")
        t.artifact(root / "figures")
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED" and run.info.run_name == "train_s1"
    assert run.data.params == {"rate.first": "0.0001"}
    assert steps(settings, run, "loss") == [(0, 1.0), (5, 1.0 / 6)]
    assert run.data.metrics["weird_name"] == 2.0
    assert "step" not in run.data.metrics  # it would be a chart of step against step
    assert len(run.data.tags["note"]) == 5000 and run.data.tags["in.src"] == checksum(root / "src")
    dataset = only_input(run)
    assert (dataset.name, json.loads(dataset.profile)) == ("sample", {"num_rows": 12, "sigma_mean": 1.5})
    assert json.loads(dataset.source) == {"uri": "build/patches"}
    folder = root / "mlruns" / EXPERIMENT / run.info.run_id / "artifacts"
    assert np.array_equal(picture_of(folder, "validation/s1", 5), picture)
    assert (folder / "reports" / "report.html").read_text() == "<p>fine</p>"
    assert (folder / "figures" / "inner" / "gain.txt").read_text() == "2 dB"
    assert pending_spools(root) == []


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


def test_a_training_of_an_experiment_is_a_run_of_its_own_with_no_row_and_recorded_once(
    root: Path, settings: TrackingSettings
) -> None:
    table = pd.DataFrame({"split": ["test", "test"], "dataset": ["a", "a"], "psnr": [20.0, 22.0], "mae": [np.nan] * 2})
    for _ in range(2):
        with track_stage("sft s1 seed 0", root, settings=settings, experiment="sft-dec-table3") as tracker:
            tracker.metrics({"loss": 1.0}, 5)
            tracker.log_means(table, ["split", "dataset"], ["psnr", "mae", "ssim"])
            tracker.dataset("scenes", root / "src", "d" * 64, 2)
    client = open_client(settings)
    (run,) = client.search_runs([experiment_id(client, settings, "sft-dec-table3")])
    assert run.info.run_name == "sft s1 seed 0" and run.info.status == "FINISHED"
    drawn = {key: value for key, value in run.data.metrics.items() if not key.startswith("system/")}
    assert drawn == {"loss": 1.0, "test.a.psnr": 21.0}
    assert runs(settings) == [] and pending_spools(root) == []


def test_a_stopped_training_whose_parameters_change_goes_on_in_a_run_of_its_own(
    root: Path, settings: TrackingSettings
) -> None:
    for taken in (300, 80):
        with (
            pytest.raises(RuntimeError, match="stopped"),
            track_stage("sft s1 fold 0", root, (), {"steps": taken}, settings=settings, experiment="sft-dec-table3"),
        ):
            raise RuntimeError("stopped")
    client = open_client(settings)
    found = client.search_runs([experiment_id(client, settings, "sft-dec-table3")])
    assert sorted(run.data.params["steps"] for run in found) == ["300", "80"]
    assert pending_spools(root) == []


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
        assert time.monotonic() - started < 60  # 1,000 answers that no server gives


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


def test_a_disk_that_takes_nothing_more_costs_records_and_not_the_stage(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with track_stage("fetch", root, settings=TrackingSettings("http://127.0.0.1:9", None)) as tracker:
        (spool,) = (path.parent for path in (root / ".tracking").glob("*/events.jsonl"))
        shutil.rmtree(spool)
        tracker.metrics({"loss": 1.0}, 0)
        tracker.picture("validation", np.zeros((4, 4), np.uint8))
        tracker.artifact(root / "params.yaml")
    assert "validation is not among the run's pictures" in caplog.text and "'close' is lost" in caplog.text


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_one_warning_and_the_stage_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with track_stage("fetch", root, settings=TrackingSettings(f"sqlite:///{root}/mlflow.db", None)) as tracker:
        tracker.metrics({"loss": 1.0}, step=0)
    assert [record.levelname for record in caplog.records if "untracked" in record.message] == ["WARNING"]
    assert len(list((root / ".tracking").iterdir())) == 1


def test_an_input_that_is_not_there_is_left_out_of_the_lineage(
    root: Path, settings: TrackingSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    with track_stage("fetch", root, reads=[Path("missing.bin"), Path("data.dvc")], settings=settings):
        pass
    tags = only(stage_runs(settings)).data.tags
    assert "in.data.dvc" in tags and "in.missing.bin" not in tags
    assert "missing.bin: not part of" in capfd.readouterr().err


@pytest.mark.own_process
def test_the_machine_is_sampled_while_a_stage_runs(root: Path, settings: TrackingSettings) -> None:
    with track_stage("train_s1", root, settings=settings):
        mine = psutil.Process().memory_info().rss / 1e6
        time.sleep(4.0)
    sampled = only(stage_runs(settings)).data.metrics
    assert sampled["system/process_memory_usage_megabytes"] == pytest.approx(mine, rel=0.1)  # the stage's
    assert 0 < sampled["system/system_memory_usage_percentage"] <= 100


def test_a_gpu_is_sampled_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("pynvml")
    library.nvmlInit = lambda: None  # type: ignore[attr-defined]
    library.nvmlDeviceGetCount = lambda: 1  # type: ignore[attr-defined]
    library.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    library.nvmlDeviceGetUtilizationRates = lambda _: types.SimpleNamespace(gpu=40)  # type: ignore[attr-defined]
    library.nvmlDeviceGetMemoryInfo = lambda _: types.SimpleNamespace(used=3e9)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", library)
    sampled = SystemSampler(os.getpid()).sample()
    assert sampled["system/gpu_0_utilization_percentage"] == 40.0
    assert sampled["system/gpu_0_memory_usage_megabytes"] == 3000.0
