"""What a stage sees of the tracking: a tracker that takes what happens and never makes it wait."""

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sftdec.lineage import code_checksums, flatten, read_flat_params, stage_definitions
from sftdec.runtime import checksum, without_passwords
from sftdec.tracking.background import Background
from sftdec.tracking.processes import circumstances
from sftdec.tracking.provenance import CHANGED, DEFINED
from sftdec.tracking.rows import NOTE
from sftdec.tracking.runs import figures, mlflow_name
from sftdec.tracking.settings import TrackingSettings, read_settings
from sftdec.tracking.spool import FOLDER, Event, Spool

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger(__name__)
LONGEST_VALUE = 5000  # characters of a tag or parameter; MLflow cuts at 6000 and refuses beyond 8000


class StageTracker:
    """Records one stage run. Nothing waits for the store; without a spool (tracking off) nothing happens."""

    def __init__(self, root: Path, spool: Spool | None) -> None:
        self._root = root
        self._spool = spool

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Named numbers at a step; one that is named ``step`` is the step itself, and no number to show."""
        numbers = {mlflow_name(key): float(value) for key, value in values.items() if key != "step"}
        self._record("metrics", values=numbers, step=int(step))

    def log_final_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Results (``figures``), onto this run and onto the execution's row."""
        self.metrics(figures(metrics), 0)
        self.log_row_metrics(metrics)

    def log_means(self, table: "pd.DataFrame", by: Sequence[str], measures: Sequence[str]) -> None:
        """The means of a table's measures as results, by the values of some columns; unknown ones are left out."""
        known = [name for name in measures if name in table.columns]
        for group, rows in table.groupby(list(by), sort=False):
            means = {name: float(value) for name, value in rows[known].mean().dropna().items()}
            self.log_final_metrics({".".join(str(part) for part in group): means})

    def log_row_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Results that an earlier execution may have brought, onto this one's row, where it hasn't them yet."""
        self._record("final", values={mlflow_name(key): value for key, value in figures(metrics).items()})

    def params(self, values: Mapping[str, Any]) -> None:
        """Parameters, nested or flat; one that the run already has keeps its first value."""
        self._record("params", values={mlflow_name(key): _cut(value) for key, value in flatten(values).items()})

    def tags(self, values: Mapping[str, Any]) -> None:
        """Tags; the last value counts."""
        self._record("tags", values={mlflow_name(key): _cut(value) for key, value in values.items()})

    def note(self, text: str) -> None:
        """What came of the execution, as its row's description."""
        self._record("tags", values={NOTE: _cut(text)}, row=True)

    def dataset(
        self,
        name: str,
        path: Path,
        digest: str,
        rows: int,
        profile: Mapping[str, Any] | None = None,
        context: str = "training",
    ) -> None:
        """A data set input: its folder or file, checksum, number of rows and what else describes it."""
        described = {"num_rows": rows, **(profile or {})}
        place = _relative(self._root, path)
        self._record("dataset", name=name, path=place, digest=digest[:36], profile=described, context=context)

    def picture(self, key: str, image: np.ndarray, step: int = 0, row: bool = False) -> None:
        """A picture, uint8 H×W×3 or H×W, which MLflow shows beside other runs' of the same ``key`` and step.

        ``row``: of the execution's row instead of this run. Raises ``ValueError`` for another type or shape.
        """
        if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            raise ValueError(f"{key}: expected uint8 H×W×3 or H×W, got {image.dtype} {image.shape}")
        if self._spool is None:
            return
        from PIL import Image

        try:
            Image.fromarray(image).save(file := self._spool.new_file("picture.png"), format="PNG")
        except OSError as error:
            LOG.warning("%s is not among the run's pictures: %s", key, error)
            return
        named = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", key)
        self._record("picture", file=self._place(file), key=named, step=int(step), row=row)

    def artifact(self, path: Path, folder: str = "", row: bool = False) -> None:
        """A copy of a file, or of a folder with all it holds, as it is now, put into the artifact folder
        ``folder``.

        ``row``: of the execution's row instead of this run. Raises ``FileNotFoundError`` naming the path where there is
        none.
        """
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder, so it can't become an artifact of the run")
        if self._spool is None:
            return
        for file in sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]:
            place = Path(folder) / file.relative_to(path.parent).parent
            try:
                copy = Path(shutil.copyfile(file, self._spool.new_file(file.name)))
            except OSError as error:  # a full disk must not cost the stage
                LOG.warning("%s is not among the run's artifacts: %s", file, error)
                continue
            folder_name = "" if place == Path() else place.as_posix()
            self._record("artifact", file=self._place(copy), folder=folder_name, row=row)

    def writes(self, paths: Sequence[Path]) -> None:
        """What the stage wrote, by whose checksums (taken now) later stages find this run."""
        if self._spool is not None:
            digests = {f"out.{_relative(self._root, path)}": checksum(self._root / path) for path in paths}
            self._record("tags", values=digests)

    def run_id(self, patience: float = 30.0) -> str | None:
        """The MLflow run id, waited for up to ``patience`` s; None if the store is away or tracking off."""
        end = time.monotonic() + patience
        while self._spool is not None:
            if (run := self._spool.run) or time.monotonic() >= end:
                return run
            time.sleep(0.05)
        return None

    def _place(self, file: Path) -> str:
        assert self._spool is not None
        return file.relative_to(self._spool.folder).as_posix()

    def _record(self, kind: str, **content: Any) -> None:
        if self._spool is None:
            return
        try:
            self._spool.append({"kind": kind, "time": _now(), **content})
        except OSError as error:  # a full disk: the run's weights matter more than its curves
            LOG.warning("%s: an event of kind %r is lost (%s)", self._spool.folder, kind, error)


@contextmanager
def track_stage(
    stage: str,
    root: Path,
    reads: Sequence[Path] = (),
    params: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
    settings: TrackingSettings | None = None,
    deadline: float = 60.0,
    experiment: str | None = None,
) -> Iterator[StageTracker]:
    """Track one stage of the project at ``root``; ``reads`` are its inputs, relative to the root.

    The same stage of the same lineage and ``params`` goes on in its run if that did not finish. Leaving the block
    sends the rest within ``deadline`` s (a few seconds where a server is away; what could not be sent is sent by the
    next stage) and ends the run FINISHED, or FAILED with the exception in the tag ``error``. ``enabled`` and
    ``settings`` are read from the environment where they are left out. Where the stage's code changed meanwhile, a
    warning and the run's tag ``unreproducible`` say so; of its parameters, a warning. In an ``experiment`` of its own
    a run has no row above it.
    """
    root = root.resolve()
    settings = settings or read_settings(root)
    if enabled is not None:
        settings = replace(settings, enabled=enabled)
    made_by, code = ({}, {}) if enabled is False else (stage_definitions(root, stage), code_checksums(root, stage))
    opened = _open_spool(stage, root, settings, params, experiment, made_by) if settings.enabled else None
    if opened is None:
        yield StageTracker(root, None)
        _tell_changed(stage, root, made_by, code)
        return
    spool, started = opened
    inputs = {_relative(root, path): root / path for path in reads}
    background = Background(spool, settings, root, inputs, started)
    background.start()
    tracker = StageTracker(root, spool)
    try:
        yield tracker
    except BaseException as error:
        clean_exit = isinstance(error, SystemExit) and not error.code
        _close(tracker, background, deadline, None if clean_exit else f"{type(error).__name__}: {error}")
        raise
    if changed := _tell_changed(stage, root, made_by, code):
        tracker.tags({CHANGED: changed})
    _close(tracker, background, deadline, None)


def _tell_changed(stage: str, root: Path, made_by: Mapping[str, str], before: Mapping[str, str]) -> str:
    """In words, logged too, that a stage's code is no longer what it was as the stage began; empty where it is.

    Parameters it has read by then: that they have changed is only logged, for DVC, which hasn't, notes the new ones.
    """
    after = code_checksums(root, stage) if before else {}
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if not changed:
        if made_by and stage_definitions(root, stage).get(stage) != made_by[stage]:
            told = (
                "parameters, data or command changed while %s ran, and DVC notes those of now as what made its result"
            )
            LOG.warning(f"{told}; make it anew: dvc repro -f %s", stage, stage)
        return ""
    names = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    told = f"{names} changed while {stage} ran, so its result is of no known code; make it anew: dvc repro -f {stage}"
    LOG.warning("%s", told)
    return told


def _open_spool(
    stage: str,
    root: Path,
    settings: TrackingSettings,
    params: Mapping[str, Any] | None,
    experiment: str | None,
    made_by: Mapping[str, str],
) -> tuple[Spool, int] | None:
    tags = circumstances(root) | {"sftdec.kind": "stage", "sftdec.stage": stage}
    tags |= {DEFINED: json.dumps(made_by)} if made_by else {}
    told = json.dumps(flatten(params or {}), sort_keys=True, default=str)  # which a run of MLflow's can't change
    identity = f"{tags['sftdec.lineage']} {stage} {settings.pipeline_run or ''} {told}"
    safe_stage = re.sub(r"[^\w-]", "_", stage)
    uid = f"{safe_stage}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    now = _now()
    header: Event = {
        "kind": "open",
        "time": now,
        "stage": stage,
        "tags": tags,
        "pipeline_run": settings.pipeline_run,
        "pipeline_params": {mlflow_name(key): _cut(value) for key, value in read_flat_params(root).items()},
    }
    if experiment:
        header["experiment"] = experiment
    try:
        spool = _free_spool(root / FOLDER, uid)
        first = spool.header
        spool.append(header)
    except OSError as error:
        LOG.warning("%s: %s; the stage runs untracked", root / FOLDER, error)
        return None
    tracker = StageTracker(root, spool)
    tracker.params(params or {})
    tracker.tags(tags)
    return spool, int(first["time"]) if first else now


def _free_spool(folder: Path, uid: str) -> Spool:
    """The unfinished spool of this run, or a new one; one that is held or closed well is left alone."""
    number = 1
    while True:
        name = uid if number == 1 else f"{uid}~{number}"
        spool = Spool.acquire(folder / name, create=True)
        if spool is not None:
            last = spool.last
            if last is None or last.get("status") != "FINISHED":
                return spool
            spool.release()
        number += 1


def _close(tracker: StageTracker, background: Background, deadline: float, error: str | None) -> None:
    background.stop_recording()
    status = {"status": "FAILED", "error": _cut(error)} if error else {"status": "FINISHED"}
    tracker._record("close", **status)
    background.finish(deadline)


def _relative(root: Path, path: Path) -> str:
    """``path`` as the lineage names it: from the root, with slashes; outside the root, its full name."""
    whole = (root / path).resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()


def _cut(value: Any) -> str:
    return without_passwords(str(value))[:LONGEST_VALUE]


def _now() -> int:
    return int(time.time() * 1000)
