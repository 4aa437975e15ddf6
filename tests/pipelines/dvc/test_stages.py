"""One DVC stage at a time, in a process group that ends with its caller."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.dvc import processes
from pipelines.dvc.stages import StageFailed, reproduce


def quiet(line: str) -> None:
    """For tests that don't look at the log."""


def wait_for_pid(root: Path, seconds: float = 30.0) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        path = root / "pid.txt"
        if path.is_file() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{root}: the stage didn't start within {seconds} s")


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_result_from_the_cache_is_not_called_a_run(project):
    assert [reproduce(stage, project, quiet).ran for stage in ("fetch", "train_s1")] == [True, True]
    (project / "build/model.txt").unlink()
    (project / "dvc.lock").unlink()
    result = reproduce("train_s1", project, quiet)
    assert (result.outcome, result.ran) == ("restored", False)
    assert (project / "journal.txt").read_text().split() == ["fetch", "train_s1"]


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancellation_leaves_no_process_of_the_stage(sleeping_project, monkeypatch, deaf):
    class Cancelled(BaseException):
        pass

    def cancel(number, frame):
        if (sleeping_project / "pid.txt").is_file():
            raise Cancelled

    monkeypatch.setattr(processes, "GRACE_SECONDS", 1.0)
    if deaf:
        text = (sleeping_project / "dvc.yaml").read_text()
        (sleeping_project / "dvc.yaml").write_text(text.replace("sleeper.py", "sleeper.py deaf"))
    before = signal.signal(signal.SIGALRM, cancel)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 2.5)
    try:
        with pytest.raises(Cancelled):
            reproduce("sleep", sleeping_project, quiet)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not alive(wait_for_pid(sleeping_project))
    assert [child for child in psutil.Process().children(recursive=True) if "repro" in child.cmdline()] == []


@pytest.mark.slow
def test_a_checkout_in_use_by_another_dvc_command_gives_a_sentence(sleeping_project):
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "sleep"]
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    other = subprocess.Popen(command, cwd=sleeping_project, env=environment, start_new_session=True)
    try:
        wait_for_pid(sleeping_project)
        with pytest.raises(StageFailed, match=rf"another DVC command \(process: PID {other.pid}\) is at work"):
            reproduce("sleep", sleeping_project, quiet)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
