"""Turns: one flow run at a time works in a folder of the checkout; those that died are told to have.

The lock is the checkout's own, and the system lets go of it when a process is killed or the power is cut. The slots of
Prefect's concurrency limits stay taken then, and every later night is cancelled: the flows use none.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from filelock import FileLock, Timeout
from prefect import State, get_client, get_run_logger
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from sftdec.runtime import held_file

HOME = ".retrain"
Result = TypeVar("Result")
LOG = logging.getLogger(__name__)
DIED = "This run's process is gone without a word: it was killed, or its machine went down"


class BusyError(RuntimeError):
    """Another execution works there."""


@contextmanager
def held(root: Path, name: str, waiting: Callable[[str], object] | None = None) -> Iterator[Path]:
    """``.retrain/NAME`` of the project, where nobody else works until the block ends; it may not be there yet.

    A process that is killed lets go of it. A file system without locks is one warning.

    Args:
        root: the project.
        name: of the folder, or of whatever else one at a time may use.
        waiting: is told that somebody is at work there, and the block begins when they have ended; None: it doesn't.

    Raises:
        BusyError: somebody is at work there.
    """
    home = root / HOME
    home.mkdir(exist_ok=True)
    (home / ".gitignore").write_text("*\n", "utf-8")
    busy = f"another execution is at work in {home / name}, where one at a time may be"

    def told() -> None:
        if waiting is None:
            raise BusyError(f"{busy}. Wait until it ends, then run this again.")
        waiting(f"Waits: {busy}")

    with held_file(home / f"{name}.lock", told):
        yield home / name


def in_turn(root: Path, name: str, work: Callable[[Path], Result]) -> Result | State[Any]:
    """What ``work`` gives for the folder that is ``held``, once it is this flow run's turn.

    What a person has started waits for that; what comes again, started by a schedule or another flow, is cancelled.
    """
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None
    run = context.flow_run
    again = run.auto_scheduled or run.parent_task_run_id is not None
    try:
        with _noted(root, run.id), held(root, name, None if again else get_run_logger().info) as place:
            return work(place)
    except BusyError as busy:
        return Cancelled(message=str(busy))


@contextmanager
def _noted(root: Path, run: UUID) -> Iterator[None]:
    """Holds a note that this flow run's process lives, ``.retrain/runs/ID``; what nobody holds any more has died."""
    with held(root, "runs", LOG.debug) as notes:
        notes.mkdir(exist_ok=True)
        for note in notes.glob("*-*-*-*-*"):  # NFS leaves files of its own beside them
            other = FileLock(note, fallback_to_soft=False)
            with suppress(Timeout, OSError):
                other.acquire(timeout=0)
                _say_it_crashed(UUID(note.name))
                note.unlink()
            other.release()
        own = FileLock(notes / str(run), fallback_to_soft=False)
        with suppress(OSError):
            own.acquire(timeout=0)
    try:
        yield
    finally:
        (notes / str(run)).unlink(missing_ok=True)
        own.release()


def _say_it_crashed(run: UUID) -> None:
    """Tell Prefect, which still takes it for running, and by that whoever hears of its events."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(run).state
        except ObjectNotFound:
            return  # another server's
        if state is None or not state.is_final():
            client.set_flow_run_state(run, Crashed(message=DIED), force=True)
