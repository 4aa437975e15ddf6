"""What runs beside a stage: a process of its own, which samples the machine and sends the stage's spool to the store.

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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Spool

LOG = logging.getLogger(__name__)
SENDS = (sys.executable, "-m", "sftdec.tracking.delivering")
GRACE = 5.0  # s beyond the deadline that the process has to give its answer


class Background:
    """Has the spool sent until ``finish``, which must be called to let it go.

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
            "started_ms": started_ms,
        }
        self._process: subprocess.Popen[str] | None = None
        self._failure: str | None = None

    def start(self) -> None:
        """Start the process; where that fails, the spool waits for the next stage."""
        try:
            self._process = self._begin()
            self._tell(json.dumps(self._task))
        except OSError as error:
            self._failure = f"no process that sends could be started ({error})"

    def stop_recording(self) -> None:
        """Have the process write nothing more into the spool: no event may come after the closing one."""
        if self._process is not None:
            self._tell("stop")
            assert self._process.stdout is not None
            self._process.stdout.readline()  # it has stopped, or ended

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
        return subprocess.Popen(
            SENDS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl+C is the stage's to deal with, which then sends what there is
        )

    def _tell(self, line: str) -> None:
        """Write a line to the process; one that has ended hears nothing."""
        assert self._process is not None and self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

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
        except BrokenPipeError:  # it was killed, with what it was told last still in the pipe's buffer
            answer = ""
            self._process.wait()
        try:
            reason = json.loads(answer)
        except ValueError:  # no answer, or a torn one
            return f"the process that sends ended with {self._process.returncode}"
        return None if reason is None else str(reason)
