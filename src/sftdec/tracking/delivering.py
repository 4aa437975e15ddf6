"""The process that ``Background`` starts: ``python -m sftdec.tracking.delivering``."""

import ctypes
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

from sftdec.tracking.delivery import Delivery
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Spool
from sftdec.tracking.system import SystemSampler

NICE = 10
SAMPLE_EVERY = 5.0  # s
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """The process: told its task, then to record nothing more, then the deadline; the last two are answered."""
    _die_with_parent()
    if hasattr(os, "nice"):
        os.nice(NICE)
    task = json.loads(_hear())
    answers = _own_answers()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    spool = Spool.share(Path(task["folder"]))
    sender = Sender(TrackingSettings(**task["settings"]), Path(task["root"]))
    delivery = Delivery(spool, sender, {name: Path(path) for name, path in task["reads"].items()})
    delivery.start()
    stopped = threading.Event()
    sampling = threading.Thread(target=_sample, args=(spool, task["started_ms"], stopped), daemon=True)
    sampling.start()
    _hear()
    stopped.set()
    sampling.join()
    delivery.await_checksums()
    print("stopped", file=answers, flush=True)
    reason = delivery.finish(float(_hear()))
    print(json.dumps(reason), file=answers, flush=True)
    os._exit(0)  # an unfinished request would be waited for


def _hear() -> str:
    """What the stage says next; where it has died, this process ends: what is left is the next one's to send."""
    if line := sys.stdin.readline():
        return line
    os._exit(1)


def _sample(spool: Spool, started_ms: int, stopped: threading.Event) -> None:
    """Write what the machine and the stage take into the spool until told to stop."""
    sampler = SystemSampler(os.getppid())
    pause = 1.0
    while not stopped.wait(pause):
        now = int(time.time() * 1000)
        step = max(0, round((now - started_ms) / 1000))
        spool.append({"kind": "metrics", "time": now, "step": step, "values": sampler.sample()})
        pause = SAMPLE_EVERY


def _own_answers() -> IO[str]:
    """The pipe to the stage, for answers alone: MLflow prints there where a server shows a run."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _die_with_parent() -> None:
    """On Linux at once, so that nobody sends a spool whose lock is free; elsewhere as soon as stdin ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
