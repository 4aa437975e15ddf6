"""The real pipeline in a copy of this checkout, with seconds of training: everything between photos and a champion."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from tests.pipelines.turned_down import dvc, environment, git, make_copy, outs, set_params

pytestmark = [pytest.mark.slow, pytest.mark.services]  # a process a stage, for seconds


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The copy after one `dvc repro`."""
    project = make_copy(tmp_path_factory.mktemp("clone") / "project")
    dvc(project, "repro")
    return project


def test_photos_go_in_and_figures_pictures_and_a_report_come_out(project):
    (metrics,) = json.loads((project / "reports/metrics.json").read_text()).values()
    assert metrics["images"] == 1
    assert len(pd.read_parquet(project / "reports/per_image.parquet")) == 1
    assert {"training_curves.png", "gains.png", "contact_sheet.png"} <= {
        path.name for path in (project / "reports/figures/evaluation").iterdir()
    }
    assert "motorcycle_far" in (project / "reports/report.html").read_text()


def test_forty_steps_are_not_worse_than_no_network_on_photos_that_nothing_was_chosen_by(project):
    (metrics,) = json.loads((project / "reports/metrics.json").read_text()).values()
    assert metrics["psnr"] >= metrics["psnr_blurred"]


def test_a_clone_with_the_lock_but_no_registry_registers(project):
    (project / "mlflow.db").rename(project / "away.db")
    (project / "build/registered.json").unlink()
    try:
        output = dvc(project, "repro")  # asked in no other way: this process would keep the database open
        assert "Running stage 'register'" in output and "models:/sft-dec/1:" in output
    finally:
        (project / "away.db").replace(project / "mlflow.db")


def test_a_second_repro_runs_nothing_and_git_sees_only_what_dvc_changes(project):
    assert "up to date" in dvc(project, "repro")
    changed = {line[3:] for line in git(project, "status", "--porcelain").splitlines()}
    assert changed <= {"dvc.lock", "data.dvc", "reports/metrics.json"}


def test_the_execution_is_one_row_with_its_stages_nested_and_its_figures_on_it(project):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("sft-dec")
    runs = client.search_runs([experiment.experiment_id])
    rows = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    row = min(rows, key=lambda run: run.info.start_time)  # that of the first execution
    nested = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == row.info.run_id}
    assert {"fetch", "patches", "train_s1", "train_s2", "train_s3", "evaluate", "report", "register"} <= nested.keys()
    metrics = json.loads((project / "reports/metrics.json").read_text())["sample"]
    assert row.data.metrics["sample.psnr"] == pytest.approx(metrics["psnr"])
    wanted = {"loss", "loss_dme", "loss_df", "loss_wd", "learning_rate", "gradient_norm", "patches_per_second"}
    assert wanted <= nested["train_s2"].data.metrics.keys()
    assert nested["fetch"].data.metrics["refused"] == 0 and nested["fetch"].data.metrics["scenes"] > 2
    kept = [item.path for item in client.list_artifacts(row.info.run_id, "reports")]
    assert kept == ["reports/report.html"]
    upstream = nested["train_s2"].data.tags["upstream.build/models/s1.safetensors"]
    assert upstream == nested["train_s1"].info.run_id


def test_the_registered_model_gives_the_evaluate_stages_own_figures(project):
    command = ["-m", "sftdec.cli", "evaluate", "--model", "models:/sft-dec@challenger", "--dataset", "sample"]
    environ = {**environment(), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run([sys.executable, *command], cwd=project, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((project / "reports/metrics.json").read_text())


def test_changing_s3_re_runs_s3_and_what_follows_from_it_only(project):
    set_params(project, train__s3__learning_rate=0.0001, train__s3__keep="last")  # best may be the start, as before
    output = dvc(project, "repro", tracking=False)
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran[:2] == ["train_s3", "evaluate"] and sorted(ran[2:]) == ["register", "report"]


def unfinished(project):
    """Checkpoints of trainings that haven't ended; one that has keeps its last until DVC has noted the result."""
    found = (project / ".checkpoints").rglob("step-*.pt")
    return [path for path in found if not (path.parent / "done").is_file()]


def test_a_stage_killed_in_the_middle_goes_on_to_the_same_bytes_and_two_repros_at_once_are_refused(project):
    set_params(project, train__s1__steps=150, train__s1__validate_every=1000, train__common__seed=7)
    undisturbed = "build/models/s1.safetensors"
    dvc(project, "repro", "--single-item", "train_s1", tracking=False)
    expected = outs(project)[undisturbed]

    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "--no-run-cache", "train_s1"]
    running = subprocess.Popen(command, cwd=project, env=environment(), start_new_session=True, stdout=subprocess.PIPE)
    patience = time.monotonic() + 60
    while not unfinished(project):
        assert running.poll() is None and time.monotonic() < patience, "no checkpoint was written"
        time.sleep(0.05)
    stage = psutil.Process(running.pid).children(recursive=True)
    for process in stage:
        process.suspend()  # else a fast machine has trained to the end before the other command is up
    refused = dvc(project, "repro", "--single-item", "train_s1", check=False, tracking=False)
    assert "busy" in refused or "lock" in refused
    os.killpg(running.pid, signal.SIGKILL)  # DVC first: at its stage's end it writes a note, of which half would stay
    for process in stage:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    running.wait()
    assert unfinished(project) and not (project / undisturbed).exists()

    again = dvc(project, "repro", "--single-item", "--force", "--no-run-cache", "train_s1", tracking=False)
    assert "Running stage 'train_s1'" in again
    assert outs(project)[undisturbed] == expected
    assert not unfinished(project)


def test_an_impossible_parameter_stops_the_stage_with_a_sentence(project):
    before = (project / "params.yaml").read_text()
    set_params(project, patches__patch_size=32)
    try:
        output = dvc(project, "repro", "patches", check=False)
    finally:
        (project / "params.yaml").write_text(before)
    assert "error: params.yaml: train.common.crop: found" in output and "Traceback" not in output
