"""How a stage's script begins and ends."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.stages.entry import _track_in_the_checkout, check, run_stage

ROOT = Path(__file__).parents[2]
OF_DVC = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "DVC_STAGE": "train_s1"}
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
    with subprocess.Popen([sys.executable, "-c", DVC], cwd=tmp_path, env=OF_DVC) as dvc:
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


def test_a_training_s_checkpoint_goes_once_dvc_has_noted_its_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pipelines.stages.entry._end_with_dvc", lambda: None)
    monkeypatch.chdir(tmp_path)
    for stage in ("s1-noted", "s2-of_an_experiment", "s3-not_noted"):
        (tmp_path / ".checkpoints" / stage).mkdir(parents=True)
        (tmp_path / ".checkpoints" / stage / "done").write_text(f"md5 of {stage}")
    (tmp_path / ".checkpoints/s3-at_work").mkdir()
    (tmp_path / "dvc.lock").write_text("md5: md5 of s1-noted")
    (tmp_path / "experiments/table3").mkdir(parents=True)
    (tmp_path / "experiments/table3/dvc.lock").write_text("md5: md5 of s2-of_an_experiment")
    run_stage(lambda: None)
    assert sorted(path.name for path in (tmp_path / ".checkpoints").iterdir()) == ["s3-at_work", "s3-not_noted"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody hears of a parent's end")
def test_a_stage_whose_dvc_was_killed_while_it_started_does_not_begin(tmp_path: Path) -> None:
    late = "import os, pathlib, time\npathlib.Path('started').touch()\nparent = os.getppid()\n"
    late += "while os.getppid() == parent:\n    time.sleep(0.01)\n"
    main = "pathlib.Path('ended').write_text('by itself')"
    end = f"from pipelines.stages.entry import run_stage\nrun_stage(lambda: {main})\n"
    (tmp_path / "stage.py").write_text(late + end)
    code = "import os, sys; os.spawnv(os.P_WAIT, sys.executable, ['python', 'stage.py'])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=OF_DVC, start_new_session=True) as dvc:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").is_file() and time.monotonic() < deadline:
            time.sleep(0.01)
        (stage,) = psutil.Process(dvc.pid).children()
        dvc.kill()
    _, alive = psutil.wait_procs([stage], timeout=60)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert not (tmp_path / "ended").exists()


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


def test_the_parameters_are_checked_and_how_long_they_train_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.stages.entry._end_with_dvc", lambda: None)  # this is no stage's process
    check(ROOT / "params.yaml")
    told = "small network, training of 500 steps + 2,100 steps + 200 steps\n"
    assert capsys.readouterr().out.endswith(told)
    check(ROOT / "params.paper.yaml")
    assert "training of 400 epochs + 200 epochs + 400 epochs\n" in capsys.readouterr().out
    for other in ROOT.glob("params*.yaml"):
        check(other)
        assert "nothing wrong" in capsys.readouterr().out


def test_two_stages_may_begin_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipelines.stages.entry._end_with_dvc", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / ".checkpoints" / name).mkdir(parents=True)
        (tmp_path / ".checkpoints" / name / "done").write_text(f"md5 of {name}")
    (tmp_path / "dvc.lock").write_text("md5 of a, md5 of b")
    first_reading = Path.read_text

    def read_text(path: Path, *given: str) -> str:
        shutil.rmtree(tmp_path / ".checkpoints/b", ignore_errors=True)  # the other stage's
        shutil.rmtree(tmp_path / ".checkpoints/a", ignore_errors=True)
        return first_reading(path, *given)

    monkeypatch.setattr(Path, "read_text", read_text)
    run_stage(lambda: (tmp_path / "begun").touch())
    assert (tmp_path / "begun").is_file()
