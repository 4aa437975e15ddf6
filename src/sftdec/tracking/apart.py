"""Sending from a process of its own, for stages that compute all the time.

MLflow takes 1.6 s of a processor to be imported and opened, and more to take in what is sent. In a thread of the stage
that comes out of a training's own time, because Python runs one thread at a time; a process beside it, of low priority,
makes do with what the training leaves free.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import sftdec
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

    def start(self) -> None:
        """Start the process."""
        package = str(Path(sftdec.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sftdec.tracking.delivering"],
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
