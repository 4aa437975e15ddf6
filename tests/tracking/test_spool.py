"""The spool: events on disk until the store has them."""

import importlib.util
import shutil
import sys
from pathlib import Path

from pytest import MonkeyPatch

from sftdec.tracking import spool as spool_module
from sftdec.tracking.spool import Spool, pending_spools


def opened(folder: Path) -> Spool:
    """A new spool with its opening event."""
    spool = Spool.acquire(folder, create=True)
    assert spool is not None
    spool.append({"kind": "open", "time": 1})
    return spool


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
    with (tmp_path / "one" / "events.jsonl").open("a") as events:
        events.write('{"kind": "metr')
    again = Spool.acquire(tmp_path / "one")
    assert again is not None
    again.append({"kind": "close", "time": 2})
    assert [event["kind"] for event, _ in again.read(0)] == ["open", "close"]


def test_a_broken_line_in_the_middle_does_not_hide_what_follows(tmp_path: Path) -> None:
    spool = opened(tmp_path / "one")
    with (tmp_path / "one" / "events.jsonl").open("a") as events:
        events.write('{"kind": "me\n')
    spool.append({"kind": "close", "time": 2})
    assert [event["kind"] for event, _ in spool.read(0)] == ["open", "close"]


def test_a_spool_that_is_shared_leaves_the_lock_with_its_owner(tmp_path: Path) -> None:
    owner = opened(tmp_path / "one")
    shared = Spool.share(tmp_path / "one")
    shared.release()
    assert shared.header == {"kind": "open", "time": 1}
    assert Spool.acquire(tmp_path / "one") is None
    owner.release()


def test_a_spool_whose_owner_deletes_it_just_then_is_made_anew(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    folder, lock = tmp_path / "one", spool_module.fcntl.flock
    deletions = iter([True, False])

    def delete_first(file, operation) -> None:
        if next(deletions):
            shutil.rmtree(folder)
        lock(file, operation)

    monkeypatch.setattr(spool_module.fcntl, "flock", delete_first)
    spool = Spool.acquire(folder, create=True)
    assert spool is not None and (folder / "lock").exists()
    spool.append({"kind": "open", "time": 1})
    assert spool.header == {"kind": "open", "time": 1}


def test_what_is_recorded_after_the_spool_was_let_go_is_not_written(tmp_path: Path) -> None:
    spool = opened(tmp_path / "one")
    spool.release()
    spool.append({"kind": "metric", "time": 2})
    assert spool.last == {"kind": "open", "time": 1}


def test_an_event_that_is_just_being_written_is_not_read_yet(tmp_path: Path) -> None:
    spool = opened(tmp_path / "one")
    with (tmp_path / "one" / "events.jsonl").open("a") as events:
        events.write('{"kind": "clo')
    assert [event["kind"] for event, _ in spool.read(0)] == ["open"]


def test_without_file_locks_a_spool_is_had_at_once(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    specification = importlib.util.spec_from_file_location("spool_without_locks", spool_module.__file__)
    assert specification is not None and specification.loader is not None
    specification.loader.exec_module(without := importlib.util.module_from_spec(specification))
    assert without.fcntl is None
    for _ in range(2):
        spool = without.Spool.acquire(tmp_path / "one", create=True)
        spool.append({"kind": "open", "time": 1})
    assert spool.last == {"kind": "open", "time": 1}
