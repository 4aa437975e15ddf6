"""The process that ``Background`` starts: ``python -m sftdec.tracking.delivering``."""

import ctypes
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from sftdec.tracking.delivery import Delivery
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Spool

NICE = 10
PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
