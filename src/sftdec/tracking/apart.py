"""Sending from a process of its own.

MLflow takes 1.6 s of a processor to be imported and opened, and more to take in what is sent. In a thread of the stage
that comes out of a training's own time, because Python runs one thread at a time; a process beside it, of low priority,
makes do with what the training leaves free. A thread would also import SciPy, through MLflow, while the stage imports
it; one evaluation out of many then ended in `KeyError: 'scipy'` inside the import of scipy.ndimage.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sftdec.tracking.settings import TrackingSettings
from sftdec.tracking.spool import Spool

GRACE = 5.0  # s beyond the deadline that the process has to give its answer


class DeliveryApart:
    """A ``Delivery`` in another process; ends with this one, however this one ends."""

    def __init__(self, spool: Spool, settings: TrackingSettings, root: Path, reads: Mapping[str, Path]) -> None:
        self._task = {
            "folder": str(spool.folder),
            "settings": asdict(settings),
            "root": str(root),
            "reads": {name: str(path) for name, path in reads.items()},
        }
        self._process: subprocess.Popen[str] | None = None
        self._failure: str | None = None

    def start(self) -> None:
        """Start the process; where that fails, the spool waits for the next stage."""
        try:
            self._process = self._begin()
        except OSError as error:
            self._failure = f"no process that sends could be started ({error})"

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

    def await_checksums(self) -> None:
        """Wait until the inputs are hashed: no event may come after the closing one."""
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.readline()

    def finish(self, deadline: float) -> str | None:
        """As ``Delivery.finish``."""
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
