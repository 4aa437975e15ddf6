"""The spool: events on disk until the store has them."""

from pathlib import Path

from sftdec.tracking.spool import Spool, pending_spools


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
