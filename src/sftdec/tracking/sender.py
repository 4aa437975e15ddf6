"""From the spool to the MLflow store: in order, in batches, and never twice."""

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sftdec.tracking.runs import dataset_input, find_run, open_parent
from sftdec.tracking.settings import (
    EXPERIMENT,
    StoreBusyError,
    TrackingError,
    TrackingSettings,
    experiment_id,
    open_client,
    read_settings,
    server_answers,
    short_patience,
)
from sftdec.tracking.spool import FOLDER, Event, Spool, pending_spools

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger(__name__)
BATCH = 800  # metrics a call; with 100 parameters and 100 tags that is MLflow's limit of 1000
FINISHED, PAGE = "attributes.status = 'FINISHED'", 1000
GONE = "RESOURCE_DOES_NOT_EXIST"
REFUSALS = (GONE, "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
Result = TypeVar("Result")


def _experiment_of(header: Event) -> str:
    """Where a spool's run belongs."""
    return str(header.get("experiment", EXPERIMENT))


def _is_alone(header: Event) -> bool:
    """Whether a run has no row above it and is recorded once: a cell of the grid."""
    return _experiment_of(header) != EXPERIMENT


class StoreAway(Exception):
    """The store did not answer, or could not serve; what was to be sent stays where it is."""


class StoreShut(StoreAway):
    """The store takes nothing until somebody mends it, such as a deleted experiment: waiting doesn't help."""


class RunDeleted(StoreShut):
    """Somebody deleted the run that the records are of; others have theirs."""


class Refused(Exception):
    """The store answers and will never take this event."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Sender:
    """Sends spools to one store. ``progress`` is when (monotonic clock, s) it last did something for us."""

    def __init__(self, settings: TrackingSettings, root: Path) -> None:
        self.settings = settings
        self.root = root
        self.progress = time.monotonic()
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}
        self._parents: dict[str, str] = {}

    def send(self, spool: Spool) -> None:
        """Send what the spool holds and the store lacks; after a ``StoreAway`` it can be called again."""
        header = spool.header
        if header is None:
            return
        with short_patience():
            try:
                self._connect(_experiment_of(header))
                self._replay(spool, header)
            except Refused as refusal:
                if refusal.code != GONE:
                    raise StoreAway(f"{self.settings.uri}: {refusal}") from refusal
                spool.start_over()  # another database has taken the place of the one that knew this run
                self._parents.clear()
                raise StoreAway(f"{self.settings.uri} lost the run of {spool.uid}: {refusal}") from refusal

    def send_pending(self) -> int:
        """Send every spool that nobody holds, oldest first; the number that was sent to its end.

        A run whose process died before it closed is set to FAILED. Raises ``StoreAway``.
        """
        finished = 0
        for folder in pending_spools(self.root):
            spool = Spool.acquire(folder)
            if spool is None:
                continue
            closed = False
            try:
                self.send(spool)
                last = spool.last
                if last is not None and last["kind"] != "close":
                    error = "the process ended without closing its run (killed, or the machine stopped)"
                    spool.append({"kind": "close", "time": last["time"], "status": "FAILED", "error": error})
                    self.send(spool)
                closed = True
                finished += 1
            except RunDeleted as deleted:  # its records wait, those of other runs don't
                LOG.warning("%s", deleted)
            finally:
                spool.release(delete=closed)
        return finished

    def known(self, experiment: str) -> set[str]:
        """The uids of an experiment's finished runs. Raises ``StoreAway``."""
        with short_patience():
            try:
                self._connect(experiment)
                where, found, token = [self._experiments[experiment]], set[str](), None
                while True:
                    search = partial(self._store.search_runs, max_results=PAGE, page_token=token)
                    page = self._call(search, where, FINISHED)
                    found |= {run.data.tags["sftdec.uid"] for run in page if "sftdec.uid" in run.data.tags}
                    if not (token := page.token):
                        return found
            except Refused as refusal:
                raise StoreAway(f"{self.settings.uri}: {refusal}") from refusal

    def _connect(self, experiment: str) -> None:
        if self.settings.is_remote and not server_answers(self.settings.uri):
            raise StoreAway(f"{self.settings.uri} does not answer")
        if self._client is None:
            self._client = self._call(open_client, self.settings)
        if experiment not in self._experiments:
            self._experiments[experiment] = self._call(experiment_id, self._client, self.settings, experiment)

    @property
    def connected(self) -> bool:
        """True once MLflow is imported (seconds), so that a lack of progress is the store's doing."""
        return self._client is not None

    @property
    def _store(self) -> "MlflowClient":
        assert self._client is not None
        return self._client

    def _replay(self, spool: Spool, header: Event) -> None:
        run = spool.run or self._open_run(spool, header)
        if run is None:
            return
        waiting: list[tuple[Event, int]] = []
        for event, end in spool.read(spool.sent):
            if event["kind"] in ("open", "close", "artifact", "dataset", "final"):
                self._send_batch(spool, run, waiting)
                waiting = []
                self._try(spool, event, partial(self._send_one, spool, run, header, event))
                spool.sent = end
            else:
                waiting.append((event, end))
                if len(waiting) >= BATCH:
                    self._send_batch(spool, run, waiting)
                    waiting = []
        self._send_batch(spool, run, waiting)

    def _open_run(self, spool: Spool, header: Event) -> str | None:
        """The unfinished run with this uid, in which a resumed stage goes on, or else a new one.

        None for what is recorded once (``_is_alone``) and was.
        """
        experiment = self._experiments[_experiment_of(header)]
        found = self._call(find_run, self._store, experiment, {"sftdec.uid": spool.uid})
        if found is not None and found.info.status != "FINISHED":
            run_id = str(found.info.run_id)
        elif found is not None and _is_alone(header):
            return None
        else:
            tags = header["tags"] | {"sftdec.uid": spool.uid}
            if not _is_alone(header):
                tags |= {"mlflow.parentRunId": self._parent(header)}
            created = self._call(self._store.create_run, experiment, int(header["time"]), tags, header["stage"])
            run_id = str(created.info.run_id)
        spool.run = run_id
        return run_id

    def _parent(self, header: Event) -> str:
        if header["pipeline_run"]:
            return str(header["pipeline_run"])
        tag = header["tags"]["sftdec.lineage"]
        if tag not in self._parents:
            row = (header["tags"], header["pipeline_params"], header["time"])
            self._parents[tag] = self._call(open_parent, self._store, self._experiments[EXPERIMENT], *row)
        return self._parents[tag]

    def _send_batch(self, spool: Spool, run: str, waiting: list[tuple[Event, int]]) -> None:
        """Send metrics, parameters and tags together; one by one where the store refuses them together."""
        if not waiting:
            return
        try:
            self._log(run, [event for event, _ in waiting])
        except Refused as refusal:
            if refusal.code == GONE:
                raise
            self._check_run(spool, run)
            for event, _ in waiting:
                self._try(spool, event, partial(self._log, run, [event]))
        spool.sent = waiting[-1][1]

    def _log(self, run: str, events: list[Event]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics, params, tags = [], [], []
        for event in events:
            if event["kind"] == "metrics":
                moment = (int(event["time"]), int(event["step"]))
                metrics += [Metric(key, float(value), *moment) for key, value in event["values"].items()]
            elif event["kind"] == "params":
                params += [Param(key, value) for key, value in event["values"].items()]
            else:
                values = event["values"] | (self._upstream(event) if event["kind"] == "reads" else {})
                tags += [RunTag(key, value) for key, value in values.items()]
        for start in range(0, max(len(metrics), len(params) * 8, len(tags) * 8), BATCH):
            many, hundred = slice(start, start + BATCH), slice(start // 8, (start + BATCH) // 8)
            self._call(self._store.log_batch, run, metrics[many], params[hundred], tags[hundred])

    def _upstream(self, event: Event) -> dict[str, str]:
        """For each input the newest run that wrote exactly these bytes, where there is one."""
        found = {}
        for key, digest in event["values"].items():
            name = key.removeprefix("in.")
            run = self._call(find_run, self._store, self._experiments[EXPERIMENT], {f"out.{name}": digest})
            if run is not None:
                found[f"upstream.{name}"] = str(run.info.run_id)
        return found

    def _send_one(self, spool: Spool, run: str, header: Event, event: Event) -> None:
        kind, store = event["kind"], self._store
        if kind == "artifact":
            file = spool.folder / event["file"]
            if file.is_file():  # else it was sent, and only the note of it was lost
                self._call(store.log_artifact, run, str(file), event["folder"] or None)
                spool.discard(file)
        elif kind == "dataset":
            self._call(store.log_inputs, run, [dataset_input(event)])
        elif kind == "final":
            metrics = event | {"kind": "metrics", "step": 0}
            self._on_parent(header, lambda parent: self._log(parent, [metrics]))
        else:
            self._set_status(run, event)
            if not header["pipeline_run"] and not _is_alone(header):  # else the flow that opened the row sees to it
                self._on_parent(header, lambda parent: self._set_status(parent, event))

    def _set_status(self, run: str, event: Event) -> None:
        if event["kind"] == "open":
            self._call(self._store.update_run, run, "RUNNING")
            return
        if event.get("error"):
            self._log(run, [{"kind": "tags", "values": {"error": event["error"]}}])
        self._call(self._store.set_terminated, run, str(event["status"]), int(event["time"]))

    def _on_parent(self, header: Event, send: Callable[[str], None]) -> None:
        try:
            send(self._parent(header))
        except Refused as refusal:  # the pipeline's row was deleted, this run was not
            raise Refused(str(refusal), "INVALID_STATE") from refusal

    def _try(self, spool: Spool, event: Event, send: Callable[[], None]) -> None:
        """Send one event; one that the store will never take is set aside with the reason."""
        try:
            send()
        except Refused as refusal:
            if refusal.code == GONE:
                raise
            if spool.run:
                self._check_run(spool, spool.run)
            aside = self.root / FOLDER / "refused.jsonl"
            LOG.warning("the tracking store refused a record of %s (%s); see %s", spool.uid, refusal, aside)
            with aside.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps({"uid": spool.uid, "reason": str(refusal), "event": event}) + "\n")

    def _check_run(self, spool: Spool, run: str) -> None:
        """Raises ``RunDeleted`` where that is why the store takes nothing for a run."""
        if self._call(self._store.get_run, run).info.lifecycle_stage != "active":
            raise RunDeleted(
                f"{self.settings.uri}: run {run} ({spool.uid}) was deleted while its stage went on; its records wait "
                f"in {spool.folder}: `mlflow runs restore --run-id {run}` has them sent, deleting the folder drops them"
            )

    def _call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        try:
            result = function(*arguments)
        except StoreBusyError as error:
            raise StoreAway(str(error)) from error
        except TrackingError as error:
            raise StoreShut(str(error)) from error
        except Exception as error:
            code = str(getattr(error, "error_code", ""))
            if code in REFUSALS:
                raise Refused(str(error), code) from error
            raise StoreAway(f"{self.settings.uri}: {error}") from error
        self.progress = time.monotonic()
        return result


def send_pending(root: Path, settings: TrackingSettings | None = None) -> int:
    """Send what earlier runs of the project at ``root`` could not; the number of runs that are now complete.

    Runs that are still being written are left to their own process. A store that is away is no error: nothing
    is lost, and the next call tries again.
    """
    settings = settings or read_settings(root)
    if not settings.enabled or not pending_spools(root):
        return 0
    try:
        return Sender(settings, root).send_pending()
    except StoreAway as away:
        LOG.warning("runs wait in %s until the tracking store is back: %s", root / FOLDER, away)
        return 0
