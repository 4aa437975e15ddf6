"""What visitors gave: each photo in a folder of its own behind a token nobody can guess, deblurred one by one."""

import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sftdec.demo.choices import Choice
from sftdec.inference import Only

WAITING_LIMIT = 8  # photos that wait or are on their way here
ROOM = 2 * 1024**3  # bytes that all photos here may have on disk, with what was made of them
ARRIVE_WITHIN = 60.0  # s without a byte of a photo that is to come
FORGET_AFTER = 1800.0  # s without a sign of the visitor's page, which gives one a minute while it is open
SWEEP_EVERY = 30.0  # s

State = Literal["arriving", "waiting", "working", "done", "failed"]


class Busy(Exception):
    """As many photos are here as may be, or as large ones; the message is for the visitor."""


class Gone(Exception):
    """The visitor has left or taken another photo: nobody waits for this one."""


@dataclass
class Visit:
    """One photo on its way: ``folder`` holds its files, and no other visit's."""

    token: str
    folder: Path
    name: str
    model: Choice
    strength: float = 1.0  # this, the mask and ``only`` as in ``inference.Blend``
    only: Only | None = None
    state: State = "arriving"
    step: str = ""
    done: int = 0
    of: int = 0
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    seen: float = 0.0
    held: int = 0  # bytes on disk, or promised
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def source(self) -> Path:
        """The photo as it was given."""
        return self.folder / "given" / self.name

    @property
    def mask(self) -> Path:
        """Where its mask is, if it came with one."""
        return self.folder / "mask"

    def tell(self, step: str, done: int = 0, of: int = 0) -> None:
        """Where the work stands; raises ``Gone`` where it is for nobody any more."""
        if self.left.is_set():
            raise Gone
        self.step, self.done, self.of = step, done, of


class Visits:
    """All photos that are here, and the one thread that works on them in the order they came.

    ``work`` gets a visit with its photo and fills ``facts``; a ``ValueError`` or ``OSError`` of it is a sentence for
    the visitor. ``clock`` counts seconds; ``room`` is in bytes, of all that is here.
    """

    def __init__(
        self,
        folder: Path,
        work: Callable[[Visit], None],
        forget_after: float = FORGET_AFTER,
        clock: Callable[[], float] = time.monotonic,
        room: int = ROOM,
    ) -> None:
        self.folder, self._work, self._forget_after, self._clock = folder, work, forget_after, clock
        self._room = room
        self._visits: dict[str, Visit] = {}
        self._queue: deque[Visit] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="deblurring", daemon=True)
        self._thread.start()

    def arrive(self, name: str, model: Choice, strength: float = 1.0, only: Only | None = None) -> Visit:
        """A place for a photo that is about to come; raises ``Busy`` where too many come or wait."""
        with self._changed:
            self.sweep()
            before = sum(visit.state in ("arriving", "waiting") for visit in self._visits.values())
            if before >= WAITING_LIMIT:
                raise Busy(f"{before} photos are waiting already; try again when some of them are done")
            token = secrets.token_urlsafe(24)
            visit = Visit(token, self.folder / token, name, model, strength, only, seen=self._clock())
            visit.source.parent.mkdir(parents=True)
            self._visits[token] = visit
            return visit

    def make_room(self, visit: Visit, length: int) -> None:
        """Have ``length`` more bytes for a photo that comes, which thereby gives a sign of life.

        Raises ``Busy`` where there is no room for them, ``Gone`` where the photo was forgotten since.
        """
        with self._changed:
            if visit.left.is_set():
                raise Gone("this photo is no longer here; give it again")
            if sum(each.held for each in self._visits.values()) + length > self._room:
                raise Busy(
                    f"the photos that are here fill the {self._room / 1e9:.1f} GB there are for them; try again when "
                    "some of them are done and their pages closed"
                )
            visit.held += length
            visit.seen = self._clock()

    def line_up(self, visit: Visit) -> None:
        """Have the photo, which has come, deblurred after those that wait; ``Gone`` where it was forgotten since."""
        with self._changed:
            if visit.left.is_set():
                raise Gone("this photo is no longer here; give it again")
            visit.state = "waiting"
            self._queue.append(visit)
            self._changed.notify_all()

    def find(self, token: str) -> Visit | None:
        """The visit behind a token, which thereby gives a sign of life."""
        with self._changed:
            visit = self._visits.get(token)
            if visit is not None:
                visit.seen = self._clock()
            return visit

    def ahead(self, visit: Visit) -> int:
        """How many photos come before this one, the one in work included; 0 where it doesn't wait."""
        with self._changed:
            if visit not in self._queue:
                return 0
            working = any(each.state == "working" for each in self._visits.values())
            return self._queue.index(visit) + working

    def leave(self, token: str) -> None:
        """Forget a photo and delete its files; one in work goes as soon as its work notices."""
        with self._changed:
            visit = self._visits.pop(token, None)
            if visit is None:
                return
            visit.left.set()
            if visit in self._queue:
                self._queue.remove(visit)
            if visit.state != "working":
                shutil.rmtree(visit.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Forget the photos whose visitors have given no sign for long, and those that began to come and don't."""
        now = self._clock()
        with self._changed:
            for token, visit in list(self._visits.items()):
                if now - visit.seen > (ARRIVE_WITHIN if visit.state == "arriving" else self._forget_after):
                    self.leave(token)

    def close(self) -> None:
        """End the thread and delete all files."""
        with self._changed:
            self._closed = True
            for token in list(self._visits):
                self.leave(token)
            self._changed.notify_all()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        while (visit := self._next()) is not None:
            try:
                self._work(visit)
            except Gone:
                pass
            except (ValueError, OSError, MemoryError) as error:
                visit.message = str(error) or "there is not enough memory for this photo; close other programs"
            except Exception as error:  # the page has to say something, and the next visitor's photo to be done
                visit.message = f"this photo could not be deblurred ({type(error).__name__}: {error})"
            with self._changed:
                visit.state = "failed" if visit.message else "done"
                visit.held = sum(path.stat().st_size for path in visit.folder.rglob("*") if path.is_file())
                if visit.left.is_set():
                    shutil.rmtree(visit.folder, ignore_errors=True)

    def _next(self) -> Visit | None:
        """The next photo to work on, waited for; None once all is over."""
        with self._changed:
            while not self._queue and not self._closed:
                self.sweep()
                self._changed.wait(SWEEP_EVERY)
            if self._closed:
                return None
            visit = self._queue.popleft()
            visit.state = "working"
            return visit
