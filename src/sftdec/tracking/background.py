"""What runs beside a stage: samples of the machine go into its spool, and a process of its own sends that to the store.

MLflow takes 1.6 s of a processor to be imported and opened, and more to take in what is sent. In a thread of the stage
that comes out of a training's own time, because Python runs one thread at a time; a process beside it, of low priority,
makes do with what the training leaves free. A thread would also import SciPy, through MLflow, while the stage imports
it; one evaluation out of many then ended in `KeyError: 'scipy'` inside the import of scipy.ndimage.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Event, Spool
from sftdec.tracking.system import SystemSampler

LOG = logging.getLogger(__name__)
SAMPLE_EVERY = 5.0  # s
GRACE = 5.0  # s beyond the deadline that the process has to give its answer


class Background:
    """Samples the machine and has the spool sent until ``finish``, which must be called to let the spool go.

    The process that sends ends with this one, however this one ends.
    """

    def __init__(
        self, spool: Spool, settings: TrackingSettings, root: Path, reads: Mapping[str, Path], started_ms: int
    ) -> None:
        self._spool = spool
        self._task = {
            "folder": str(spool.folder),
            "settings": asdict(settings),
            "root": str(root),
            "reads": {name: str(path) for name, path in reads.items()},
        }
        self._started_ms = started_ms
        self._closing = threading.Event()
        self._sampling = threading.Thread(target=self._sample, name=f"samples-{spool.uid}", daemon=True)
        self._process: subprocess.Popen[str] | None = None
        self._failure: str | None = None

    def start(self) -> None:
        """Begin to sample and to send; where no process can be started, the spool waits for the next stage."""
        try:
            self._process = self._begin()
        except OSError as error:
            self._failure = f"no process that sends could be started ({error})"
        self._sampling.start()

    def stop_recording(self) -> None:
        """End what writes into the spool by itself: no event may come after the closing one."""
        self._closing.set()
        self._sampling.join()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.readline()  # it has hashed the inputs

    def finish(self, deadline: float) -> None:
        """Send the rest within ``deadline`` s, giving up sooner on a server that makes no progress.

        What can't be sent waits on disk, and a warning says where.
        """
        reason = self._answer(deadline)
        if reason:
            LOG.warning("%s; the run waits in %s and is sent by the next stage", reason, self._spool.folder)
        self._spool.release(delete=reason is None)

    def _begin(self) -> subprocess.Popen[str]:
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", "sftdec.tracking.delivering"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl+C is the stage's to deal with, which then sends what there is
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._task) + "\n")
        process.stdin.flush()
        return process

    def _answer(self, deadline: float) -> str | None:
        """None if the process has sent everything, else why not."""
        if self._process is None:
            return self._failure
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

    def _sample(self) -> None:
        sampler = SystemSampler()
        pause = 1.0
        while not self._closing.wait(pause):
            now = int(time.time() * 1000)
            step = max(0, round((now - self._started_ms) / 1000))
            event: Event = {"kind": "metrics", "time": now, "step": step, "values": sampler.sample()}
            self._spool.append(event)
            pause = SAMPLE_EVERY
