"""Sending from a process of its own, for stages that compute all the time.

MLflow takes 1.6 s of a processor to be imported and opened, and more to take in what is sent. In a thread of the stage
that comes out of a training's own time, because Python runs one thread at a time; a process beside it, of low priority,
makes do with what the training leaves free.
"""

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

import sftdec
from sftdec.tracking.delivery import Delivery
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Spool

GRACE = 5.0  # s beyond the deadline that the process has to give its answer
NICE = 10
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class DeliveryApart:
    """A ``Delivery`` in another process; ends with this one, however this one ends."""

    def __init__(self, spool: Spool, settings: TrackingSettings, root: Path, reads: Mapping[str, Path]) -> None:
        self._task = {
            "folder": str(spool.folder),
            "settings": asdict(settings),
            "root": str(root),
            "reads": {name: str(path) for name, path in reads.items()},
        }

    def start(self) -> None:
        """Start the process."""
        package = str(Path(sftdec.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sftdec.tracking.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl+C is the stage's to deal with, which then sends what there is
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._task) + "\n")
        self._process.stdin.flush()

    def await_checksums(self) -> None:
        """Wait until the inputs are hashed: no event may come after the closing one."""
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def finish(self, deadline: float) -> str | None:
        """As ``Delivery.finish``."""
        try:
            answer, _ = self._process.communicate(f"{deadline}\n", timeout=deadline + GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return "the tracking store is too slow"
        try:
            reason = json.loads(answer)
        except ValueError:  # no answer, or a torn one
            return f"the process that sends ended with {self._process.returncode}"
        return None if reason is None else str(reason)


def main() -> None:
    """The process: its task and later the deadline come as lines, the inputs' hashing and the end are answered."""
    _die_with_parent()
    if hasattr(os, "nice"):
        os.nice(NICE)
    task = json.loads(sys.stdin.readline())
    answers = _own_answers()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    spool = Spool.share(Path(task["folder"]))
    sender = Sender(TrackingSettings(**task["settings"]), Path(task["root"]))
    delivery = Delivery(spool, sender, {name: Path(path) for name, path in task["reads"].items()})
    delivery.start()
    threading.Thread(target=_tell_checksums, args=(delivery, answers), daemon=True).start()
    deadline = sys.stdin.readline()
    if not deadline:  # the stage has died: what is left is the next one's to send
        os._exit(1)
    reason = delivery.finish(float(deadline))
    print(json.dumps(reason), file=answers, flush=True)
    os._exit(0)  # an unfinished request would be waited for


def _own_answers() -> IO[str]:
    """The pipe to the stage, for answers alone: MLflow prints there where a server shows a run."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _tell_checksums(delivery: Delivery, answers: IO[str]) -> None:
    delivery.await_checksums()
    print("hashed", file=answers, flush=True)


def _die_with_parent() -> None:
    """On Linux at once, so that nobody sends a spool whose lock is free; elsewhere as soon as stdin ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
