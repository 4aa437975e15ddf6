import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sftdec.demo.choices import BUILT_IN
from sftdec.demo.visits import WAITING_LIMIT, Busy, Gone, Visit, Visits


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Desk:
    """Visits whose work waits until it is let go, and then does what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.go = threading.Semaphore(0)
        self.now = 0.0
        self.deed: Callable[[Visit], None] = lambda visit: None
        self.worked: list[str] = []
        self.visits = Visits(folder, self.work, forget_after=100, clock=lambda: self.now)

    def work(self, visit: Visit) -> None:
        self.worked.append(visit.name)
        self.go.acquire()
        self.deed(visit)
        visit.tell("done")

    def give(self, name: str) -> Visit:
        visit = self.visits.arrive(name, BUILT_IN)
        visit.source.write_bytes(b"photo")
        self.visits.line_up(visit)
        return visit

    def reaches(self, visit: Visit, state: str) -> None:
        wait_until(lambda: visit.state == state)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "photos")
    yield opened
    opened.go.release(1000)
    opened.visits.close()


def test_photos_are_done_one_by_one_in_the_order_they_came(desk: Desk) -> None:
    photos = [desk.give(name) for name in ("first", "second", "third")]
    desk.reaches(photos[0], "working")
    assert [desk.visits.ahead(photo) for photo in photos] == [0, 1, 2]
    desk.go.release(3)
    desk.reaches(photos[2], "done")
    assert desk.worked == ["first", "second", "third"]


def test_each_photo_has_a_folder_behind_a_token_of_its_own(desk: Desk) -> None:
    one, other = desk.give("photo.jpg"), desk.give("photo.jpg")
    assert one.source != other.source and len({one.token, other.token}) == 2 and len(one.token) >= 32
    assert desk.visits.find(one.token) is one and desk.visits.find("guess") is None


def test_who_leaves_takes_the_files_along_whether_waiting_working_or_done(desk: Desk) -> None:
    working, waiting = desk.give("working"), desk.give("waiting")
    desk.reaches(working, "working")
    desk.visits.leave(waiting.token)
    assert not waiting.folder.exists()
    desk.visits.leave(working.token)
    assert desk.visits.find(working.token) is None
    desk.go.release()
    wait_until(lambda: not working.folder.exists())
    done = desk.give("done")
    desk.go.release()
    desk.reaches(done, "done")
    desk.visits.leave(done.token)
    assert list(desk.visits.folder.iterdir()) == [] and desk.worked == ["working", "done"]


def test_a_photo_that_was_left_while_it_came_is_not_lined_up(desk: Desk) -> None:
    visit = desk.visits.arrive("late", BUILT_IN)
    desk.visits.leave(visit.token)
    with pytest.raises(Gone):
        desk.visits.line_up(visit)


def test_photos_of_visitors_who_give_no_sign_are_forgotten(desk: Desk) -> None:
    desk.go.release(2)
    old, fresh = desk.give("old"), desk.give("fresh")
    desk.reaches(fresh, "done")
    desk.now = 90
    assert desk.visits.find(fresh.token) is fresh
    desk.now = 150
    desk.visits.sweep()
    assert not old.folder.exists() and desk.visits.find(old.token) is None
    assert fresh.source.exists() and desk.visits.find(fresh.token) is fresh


def test_a_photo_that_fails_says_why_and_the_next_one_is_done(desk: Desk) -> None:
    def fail(visit: Visit) -> None:
        if visit.name != "good":
            raise {"value": ValueError("no picture"), "memory": MemoryError(), "other": KeyError("x")}[visit.name]

    desk.deed = fail
    photos = {name: desk.give(name) for name in ("value", "memory", "other", "good")}
    desk.go.release(4)
    desk.reaches(photos["good"], "done")
    assert photos["value"].message == "no picture" and photos["value"].state == "failed"
    assert "not enough memory" in photos["memory"].message
    assert "could not be deblurred (KeyError" in photos["other"].message


def test_no_more_than_some_wait(desk: Desk) -> None:
    first = desk.give("first")
    desk.reaches(first, "working")
    for _ in range(WAITING_LIMIT):
        desk.give("more")
    with pytest.raises(Busy, match="waiting already"):
        desk.visits.arrive("one too many", BUILT_IN)


def test_photos_that_are_still_coming_count_among_those_that_wait(desk: Desk) -> None:
    coming = [desk.visits.arrive(f"{number}", BUILT_IN) for number in range(WAITING_LIMIT - 1)]
    desk.reaches(desk.give("first"), "working")  # which leaves a place
    last = desk.visits.arrive("last", BUILT_IN)
    with pytest.raises(Busy, match=f"{WAITING_LIMIT} photos are waiting already"):
        desk.visits.arrive("one too many", BUILT_IN)
    desk.visits.leave(coming[0].token)
    desk.visits.arrive("in its place", BUILT_IN)
    desk.now = 61  # none of them has sent a byte
    for number in range(WAITING_LIMIT):
        desk.visits.arrive(f"later {number}", BUILT_IN)
    assert desk.visits.find(last.token) is None and not last.folder.exists()


def test_what_is_here_has_so_much_room_and_no_more(tmp_path: Path) -> None:
    go = threading.Event()
    visits = Visits(tmp_path / "photos", lambda visit: go.wait(60) and None, room=100)
    try:
        one, other = visits.arrive("one", BUILT_IN), visits.arrive("other", BUILT_IN)
        visits.make_room(one, 60)
        with pytest.raises(Busy, match=r"fill the 0\.0 GB"):
            visits.make_room(other, 41)
        visits.make_room(other, 40)
        visits.leave(other.token)
        with pytest.raises(Gone):
            visits.make_room(other, 1)
        one.source.write_bytes(bytes(7))
        visits.line_up(one)
        go.set()
        wait_until(lambda: one.state == "done")
        third = visits.arrive("third", BUILT_IN)
        visits.make_room(third, 93)  # beside the 7 that are really there
        with pytest.raises(Busy):
            visits.make_room(third, 1)
    finally:
        go.set()
        visits.close()


def test_closing_ends_the_thread_and_deletes_everything(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "photos")
    desk.reaches(desk.give("photo"), "working")
    desk.give("another")
    desk.go.release(2)
    desk.visits.close()
    assert not desk.visits.folder.exists() and not desk.visits._thread.is_alive()
