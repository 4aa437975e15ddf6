"""The grid's cells as runs: each once a store, whenever it was measured, in an experiment of their own."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sftdec.lineage import lineage
from sftdec.runtime import hush
from sftdec.tracking.answers import StoreAway
from sftdec.tracking.sender import Sender, send_pending
from sftdec.tracking.settings import TrackingSettings, read_settings
from sftdec.tracking.spool import FOLDER, Event, Spool
from sftdec.tracking.stage import StageTracker

LOG = logging.getLogger(__name__)
EXPERIMENT = "sft-dec-grid"


@dataclass(frozen=True)
class CellRun:
    """What becomes of a cell in MLflow; ``key`` is what it is found again by, ``began`` and ``ended`` ms since 1970."""

    key: str
    name: str
    began: int
    ended: int
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    metrics: Mapping[str, float]
    dataset: tuple[str, Path, str, int]  # its name, where it lies, its checksum, and its pictures
    table: Path  # a row a picture


class CellRuns:
    """Sends cells to the project's tracking store; they wait under ``.tracking`` while it is away.

    Nothing happens where tracking is switched off.
    """

    def __init__(self, root: Path, settings: TrackingSettings | None = None) -> None:
        self._root = root.resolve()
        self._settings = settings or read_settings(self._root)

    def add(self, cell: CellRun) -> None:
        """Have a cell wait for ``finish``, unless the store has it."""
        if not self._settings.enabled or cell.key in self._stored:
            return
        try:
            self._spool(cell)
        except OSError as error:  # the figures are safe in the grid's own folder: the next call tries again
            LOG.warning("%s: %s; the cell is not in MLflow", self._root / FOLDER, error)

    def finish(self) -> None:
        """Send what waits, of earlier calls as well; a warning says where it does if the store is away."""
        try:
            send_pending(self._root, self._settings)
        except Exception as error:  # as of any run: what can't be sent must not cost the figures
            LOG.debug("sending failed", exc_info=True)
            LOG.warning("runs wait in %s: they could not be sent (%r)", self._root / FOLDER, hush(error))

    @cached_property
    def _origin(self) -> dict[str, str]:
        return {key: value for key, value in lineage(self._root).tags().items() if key.startswith("git.")}

    @cached_property
    def _stored(self) -> set[str]:
        """The keys of the store's cells; none while it is away: whatever is sent twice becomes one run."""
        try:
            return {uid.removeprefix("cell-") for uid in Sender(self._settings, self._root).known(EXPERIMENT)}
        except StoreAway:
            return set()

    def _spool(self, cell: CellRun) -> None:
        folder = self._root / FOLDER / f"cell-{cell.key}"
        spool = Spool.acquire(folder, create=True)
        if spool is None:
            return  # another process is at it
        try:
            last = spool.last
            if last is None or last["kind"] != "close":  # else it waits, whole
                self._write(spool, cell)
        finally:
            spool.release()

    def _write(self, spool: Spool, cell: CellRun) -> None:
        header: Event = {
            "kind": "open",
            "time": cell.began,
            "stage": cell.name,
            "experiment": EXPERIMENT,
            "tags": self._origin | {"sftdec.kind": "cell"},
            "pipeline_run": None,
        }
        spool.append(header)
        tracker = StageTracker(self._root, spool)
        tracker.params(cell.params)
        tracker.tags(cell.tags)
        tracker.metrics(cell.metrics, 0)
        name, place, digest, rows = cell.dataset
        tracker.dataset(name, place, digest, rows, context="testing")
        tracker.artifact(cell.table)
        spool.append({"kind": "close", "time": cell.ended, "status": "FINISHED"})


def now_ms() -> int:
    """The time in ms since 1970."""
    return int(time.time() * 1000)
