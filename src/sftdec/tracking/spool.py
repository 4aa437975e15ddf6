"""The spool: events of one stage run, on disk before anybody else hears of them.

``.tracking/<uid>/`` holds ``events.jsonl`` (one event a line, the first is always ``open``), ``files/``
(artifacts that wait), ``sent`` (how many bytes of the events the store has) and ``run`` (the id of the run
that got them).
"""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sftdec.runtime import atomic_path

try:
    import fcntl
except ImportError:  # Windows has none: there one stage at a time is the user's to see to
    fcntl = None  # type: ignore[assignment]

FOLDER = ".tracking"
Event = dict[str, Any]


class Spool:
    """One run's events; held by one owner at a time: the stage that writes, or a sender that clears up."""

    def __init__(self, folder: Path, lock: IO[str] | None) -> None:
        self.folder = folder
        self._lock = lock
        self._events = folder / "events.jsonl"
        self._writing = threading.Lock()
        self._closed = False
        if lock is not None:
            _cut_partial_line(self._events)

    @classmethod
    def acquire(cls, folder: Path, create: bool = False) -> "Spool | None":
        """The spool in ``folder``, or None while another process or thread holds it (or there is none).

        Raises ``OSError`` where nobody can say who holds it: a file system without locks (some NFS, Lustre).
        """
        while True:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            try:
                lock = (folder / "lock").open("a")
            except FileNotFoundError:
                return None
            if fcntl is None:
                return cls(folder, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # what file systems say of a lock that is held
                lock.close()
                return None
            except OSError:
                lock.close()
                raise
            if os.fstat(lock.fileno()).st_nlink:
                return cls(folder, lock)
            lock.close()  # the former owner deleted the spool in between

    @classmethod
    def share(cls, folder: Path) -> "Spool":
        """The spool in ``folder`` for a process that its owner has started; the owner keeps the lock."""
        return cls(folder, None)

    @property
    def uid(self) -> str:
        """The name under which a run is found again."""
        return self.folder.name.partition("~")[0]

    @property
    def header(self) -> Event | None:
        """The opening event, None for a spool whose process died before it was written."""
        if not self._events.is_file():
            return None
        with self._events.open("rb") as opened:
            first = opened.readline()
        return dict(json.loads(first)) if first else None

    @property
    def last(self) -> Event | None:
        """The newest event, None in a new spool."""
        events = [event for event, _ in self.read(0)] if self._events.is_file() else []
        return events[-1] if events else None

    @property
    def sent(self) -> int:
        """Bytes of events that the store has acknowledged."""
        return int(_read(self.folder / "sent") or 0)

    @sent.setter
    def sent(self, offset: int) -> None:
        with atomic_path(self.folder / "sent") as temporary:
            temporary.write_text(str(offset), encoding="ascii")

    @property
    def run(self) -> str | None:
        """The run these events belong to, once the store has one."""
        return _read(self.folder / "run")

    @run.setter
    def run(self, run_id: str) -> None:
        with atomic_path(self.folder / "run") as temporary:
            temporary.write_text(run_id, encoding="ascii")

    def start_over(self) -> None:
        """Forget the run and what it got: the store that had them is not the one that is there now."""
        (self.folder / "run").unlink(missing_ok=True)
        (self.folder / "sent").unlink(missing_ok=True)

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event; it survives the death of the process from here on. Safe from any thread."""
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        with self._writing:
            if not self._closed:
                with self._events.open("ab", buffering=0) as opened:
                    opened.write(line)

    def read(self, offset: int) -> Iterator[tuple[Event, int]]:
        """The events from byte ``offset`` on, each with the offset of its end; broken lines are left out."""
        with self._events.open("rb") as opened:
            opened.seek(offset)
            for line in opened:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                with suppress(ValueError):  # a line that a full disk left in pieces
                    yield json.loads(line), offset

    def new_file(self, name: str) -> Path:
        """A path in the spool, never given twice, that ends in ``name``: for an artifact that waits."""
        (self.folder / "files").mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.folder / "files")) / name

    def discard(self, file: Path) -> None:
        """Delete an artifact that was sent."""
        with suppress(OSError):
            shutil.rmtree(file.parent)

    def release(self, delete: bool = False) -> None:
        """Let go of the spool, deleting it first where everything was sent."""
        with self._writing:
            self._closed = True
            if delete:
                shutil.rmtree(self.folder, ignore_errors=True)
            if self._lock is not None:
                self._lock.close()


def pending_spools(root: Path, folder: str = FOLDER) -> list[Path]:
    """The folders of all spools of the project at ``root``, the one opened first in front."""
    found = []
    for file in (root / folder).glob("*/events.jsonl"):
        with suppress(OSError, ValueError), file.open("rb") as opened:
            found.append((float(json.loads(opened.readline())["time"]), file.parent))
    return [folder for _, folder in sorted(found)]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def _cut_partial_line(events: Path) -> None:
    """Drop what a killed process had begun to write, so that the next event starts on a line of its own."""
    if not events.is_file():
        return
    content = events.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(events, whole)
