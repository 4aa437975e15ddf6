"""What a killed DVC command leaves in the note of who works on which files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.dvc import locks
from pipelines.dvc.locks import clear_dead_locks, mend_run_cache, mend_torn_lock
from pipelines.dvc.stages import reproduce

ROOT = Path(__file__).parents[3]
HELD = {"write": {"build/model.txt": {"pid": 1, "cmd": "dvc repro"}}, "read": {}}


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(locks, "WRITING_SECONDS", 0.05)
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("torn", ["", json.dumps(HELD)[:40]])
def test_half_a_note_is_removed_with_a_sentence(note: Path, tmp_path: Path, torn: str) -> None:
    note.write_text(torn)
    said = mend_torn_lock(tmp_path)
    assert said is not None and str(note) in said and "was killed while it wrote" in said
    assert not note.exists()


@pytest.mark.parametrize("whole", [json.dumps(HELD), "{}", None])
def test_a_whole_note_stays(note: Path, tmp_path: Path, whole: str | None) -> None:
    if whole is not None:
        note.write_text(whole)
    assert mend_torn_lock(tmp_path) is None
    assert (note.read_text() if note.exists() else None) == whole


def test_a_note_that_is_just_being_written_stays(note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_the_rest(seconds: float) -> None:
        note.write_text(json.dumps(HELD))

    monkeypatch.setattr(locks.time, "sleep", write_the_rest)
    note.write_text("")
    assert mend_torn_lock(tmp_path) is None
    assert json.loads(note.read_text()) == HELD


def test_a_note_of_processes_that_are_gone_is_removed_and_one_of_dvc_at_work_is_not(
    note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.3)
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"])
    try:
        note.write_text(json.dumps({"write": {"out": {"pid": at_work.pid, "cmd": "dvc repro"}}}))
        clear_dead_locks(tmp_path)
        assert note.exists()
    finally:
        at_work.kill()
        at_work.wait()
    clear_dead_locks(tmp_path)
    assert not note.exists()


def test_the_command_before_a_repro_mends_it_and_is_silent_otherwise(note: Path, tmp_path: Path) -> None:
    note.write_text("{")
    command, environment = [sys.executable, "-m", "pipelines.dvc.locks"], {"PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert "removed, because" in said[0] and said[1] == ""
    assert not note.exists()


@pytest.mark.slow
def test_a_flows_stage_runs_after_a_command_that_was_killed_while_it_wrote_the_note(project: Path) -> None:
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    (project / ".dvc/tmp/rwlock").write_text('{"write": {"bui')
    lines: list[str] = []
    assert reproduce("fetch", project, lines.append).ran
    assert any("was killed while it wrote" in line for line in lines)


def test_folders_that_a_kill_left_empty_go_and_others_stay(tmp_path: Path) -> None:
    for place in (".dvc/cache", "elsewhere"):
        runs = tmp_path / place / "runs"
        for name in ("75/empty", "75/full", "ab/new"):
            (runs / name).mkdir(parents=True)
        (runs / "75/full/entry").touch()
        for name in ("75/empty", "75/full"):
            os.utime(runs / name, (0, 0))
        said = mend_run_cache(tmp_path)
        assert said is not None and str(runs / "75/empty") in said and "was killed before it wrote" in said
        assert sorted(path.name for path in runs.glob("*/*")) == ["full", "new"]
        assert mend_run_cache(tmp_path) is None
        (tmp_path / ".dvc/config").write_text(f"[cache]\n    dir = {tmp_path / 'elsewhere'}\n")
