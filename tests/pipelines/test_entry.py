"""How a stage's script begins and ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.stages.entry import _track_in_the_checkout, run_stage

ROOT = Path(__file__).parents[2]
STAGE = """
import os, pathlib, subprocess, sys, time
from pipelines.stages.entry import run_stage
def main():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path("pids.new").write_text(f"{os.getpid()} {child.pid}")
    os.replace("pids.new", "pids")
    time.sleep(60)
run_stage(main)
"""
DVC = "import subprocess, sys; subprocess.run([sys.executable, 'stage.py'])"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody hears of a parent's end")
@pytest.mark.parametrize("told", ["the stage", "its DVC"])
def test_a_sigterm_ends_a_stage_and_all_that_it_has_started(tmp_path: Path, told: str) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    path = os.pathsep.join(map(str, (ROOT / "src", ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "DVC_STAGE": "train_s1"}
    with subprocess.Popen([sys.executable, "-c", DVC], cwd=tmp_path, env=environment) as dvc:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pids").is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        processes = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
        (processes[0] if told == "the stage" else psutil.Process(dvc.pid)).terminate()
        _, alive = psutil.wait_procs(processes, timeout=30)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_stage_of_dvc_says_at_its_end_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.stages.entry._end_with_dvc", lambda: None)
    run_stage(lambda: None)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("DVC_STAGE", "train_s1")
    times = iter((10.0, 10.0 + 75.4))
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    run_stage(lambda: None)
    assert capsys.readouterr().out == "train_s1: done in 1 min 15 s\n"


@pytest.mark.parametrize("folder", [".dvc/tmp/exps/standalone/tmpabc", ".dvc/tmp/exps/tmpabc"])
def test_a_dvc_experiments_own_folder_is_tracked_in_its_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(os, "environ", {})
    _track_in_the_checkout(tmp_path)
    assert os.environ == {}
    _track_in_the_checkout(tmp_path / folder)
    assert os.environ == {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    os.environ["MLFLOW_TRACKING_URI"] = "http://mlflow.example.org"
    _track_in_the_checkout(tmp_path / folder)
    assert os.environ == {"MLFLOW_TRACKING_URI": "http://mlflow.example.org"}
