"""Locks of files, which the system lets go of when whoever holds one is killed or the power is cut."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

LOG = logging.getLogger(__name__)
POLL = 0.05  # s


@contextmanager
def held_file(path: Path, busy: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock ``path``, whose folder is there; the file stays, empty, when the block has ended.

    Where somebody else has it, ``busy`` is called once, and may raise; otherwise the block begins when they let go. A
    file system without locks is one warning.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            busy()
            lock.acquire(poll_interval=POLL)
    except OSError as error:
        _warn_of_no_locks(path.parent, str(error))
    try:
        yield
    finally:
        lock.release()


@cache
def _warn_of_no_locks(folder: Path, why: str) -> None:
    LOG.warning("%s: %s: this file system has no locks, so two executions at once would not notice", folder, why)
