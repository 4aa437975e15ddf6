"""Flow runs take turns, and what died is said to have."""

import errno
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from prefect import State, flow, get_client
from prefect.context import FlowRunContext
from prefect.states import Completed, Running

from pipelines.flows.turns import HOME, held, in_turn

HOLDER = """
import pathlib, sys
from pipelines.flows.turns import held
with held(pathlib.Path(sys.argv[1]), "folder"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def busy(tmp_path):
    """A project in which a process is at work; it ends when its input does."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield tmp_path, holder
        holder.kill()


def test_who_waits_is_told_once_and_begins_when_the_other_has_ended(busy):
    root, holder = busy
    said = []

    def waiting(sentence):
        said.append(sentence)
        holder.kill()

    with held(root, "folder", waiting) as place:
        assert place == root / HOME / "folder"
    assert said == [f"Waits: another execution is at work in {place}, where one at a time may be"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_one_warning(tmp_path, monkeypatch, caplog, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with held(tmp_path, "runs"), held(tmp_path, "folder"):
        pass
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "no locks" in caplog.text


@flow
def hand_started(root: Path) -> None:
    run = str(FlowRunContext.get().flow_run.id)
    assert in_turn(root, "folder", lambda _: [note.name for note in (root / HOME / "runs").iterdir()]) == [run]


@flow
def scheduled(root: Path) -> State:
    FlowRunContext.get().flow_run.auto_scheduled = True
    return in_turn(root, "folder", lambda _: None)


@pytest.mark.slow
def test_what_comes_again_is_turned_away_and_what_a_person_started_waits(busy, prefect_server):
    root, holder = busy
    state = scheduled(root, return_state=True)
    assert state.is_cancelled() and "Wait until it ends" in state.message
    holder.stdin.close()
    hand_started(root)
    assert list((root / HOME / "runs").iterdir()) == []


@pytest.mark.slow
def test_a_run_whose_process_is_gone_has_crashed_and_one_that_ended_has_not(tmp_path, prefect_server):
    with get_client(sync_client=True) as client:
        died, ended = (
            client.create_flow_run(hand_started, parameters={"root": tmp_path}, state=Running()).id for _ in range(2)
        )
        client.set_flow_run_state(ended, Completed(), force=True)
        (tmp_path / HOME / "runs").mkdir(parents=True)
        for run in (died, ended, uuid.uuid4()):  # of which the last is another server's
            (tmp_path / HOME / "runs" / str(run)).touch()
        hand_started(tmp_path)
        assert client.read_flow_run(died).state.is_crashed()
        assert "its machine went down" in client.read_flow_run(died).state.message
        assert client.read_flow_run(ended).state.is_completed()
    (tmp_path / HOME / "runs/.nfs0001").touch()  # what NFS leaves of a file that was held open
    assert scheduled(tmp_path, return_state=True).is_completed()
