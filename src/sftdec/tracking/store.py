"""One event of a spool into the MLflow store: onto the run that it is of, or onto the row of its execution."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftdec.tracking.answers import GONE, LATER, Refused, Result, StoreAway, StoreShut, ask
from sftdec.tracking.processes import EXECUTION
from sftdec.tracking.rows import end_dead_rows, find_run, open_row
from sftdec.tracking.runs import dataset_input, log_picture
from sftdec.tracking.settings import EXPERIMENT, TrackingSettings, experiment_id, open_client, server_answers
from sftdec.tracking.spool import Event, Spool

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 800  # metrics a call; with 100 parameters and 100 tags that is MLflow's limit of 1000
BATCHED = ("metrics", "params", "tags", "reads")


def experiment_of(header: Event) -> str:
    """Where a spool's run belongs."""
    return str(header.get("experiment", EXPERIMENT))


def is_alone(header: Event) -> bool:
    """Whether a run has no row above it and is recorded once: a cell of the grid, a training of an experiment."""
    return experiment_of(header) != EXPERIMENT


class Store:
    """A store, spoken to for one project. ``progress`` is when (monotonic clock, s) it last did something for us.

    Everything raises ``StoreAway`` or ``Refused``, as ``answers`` has them.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
        self.progress = time.monotonic()
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}
        self._rows: dict[str, str] = {}

    @property
    def connected(self) -> bool:
        """True once MLflow is imported (seconds), so that a lack of progress is the store's doing."""
        return self._client is not None

    @property
    def client(self) -> "MlflowClient":
        """MLflow's own, once an experiment was asked for."""
        assert self._client is not None
        return self._client

    def experiment(self, name: str = EXPERIMENT) -> str:
        """The id of an experiment; the first call connects, and ends the rows of flows that have died."""
        if self.settings.is_remote and not server_answers(self.settings.uri):
            raise StoreAway(f"{self.settings.shown} does not answer")
        if self._client is None:
            self._client = self.ask(open_client, self.settings)
        if name not in self._experiments:
            self._experiments[name] = self.ask(experiment_id, self._client, self.settings, name)
            if name == EXPERIMENT:
                self.ask(end_dead_rows, self._client, self._experiments[name])
        return self._experiments[name]

    def ask(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What a call of MLflow's returns."""
        result = ask(self.settings, function, *arguments)
        self.progress = time.monotonic()
        return result

    def forget_rows(self) -> None:
        """Another database has taken the place of the one that had them."""
        self._rows.clear()

    def row(self, header: Event) -> str:
        """The run id of the row that a spool's run lies below."""
        if header["pipeline_run"]:
            return str(header["pipeline_run"])
        tags = header["tags"]
        key = f"{tags['sftdec.lineage']} {tags.get(EXECUTION)}"
        if key not in self._rows:
            described = (tags, header["pipeline_params"], header["time"])
            self._rows[key] = self.ask(open_row, self.client, self._experiments[EXPERIMENT], *described)
        return self._rows[key]

    def deliver(self, spool: Spool, run: str, header: Event, event: Event) -> None:
        """Send one event."""
        kind = event["kind"]
        if kind == "final":
            self._on_row(header, lambda row: self._add_figures(row, event))
        elif kind in ("open", "close"):
            self._set_status(run, event)
            if not header["pipeline_run"]:  # else the flow that opened the row sees to it
                self._on_row(header, lambda row: self._set_status(row, event))
        elif event.get("row") and not is_alone(header):
            self._on_row(header, lambda row: self._send(spool, row, event))
        else:
            self._send(spool, run, event)
            if kind == "dataset":
                self._on_row(header, lambda row: self._send(spool, row, event))

    def log(self, run: str, events: Sequence[Event]) -> None:
        """Send metrics, parameters and tags, many at once."""
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
            self.ask(self.client.log_batch, run, metrics[many], params[hundred], tags[hundred])

    def _upstream(self, event: Event) -> dict[str, str]:
        """For each input the newest run that wrote exactly these bytes, where there is one."""
        found = {}
        for key, digest in event["values"].items():
            name = key.removeprefix("in.")
            run = self.ask(find_run, self.client, self.experiment(), {f"out.{name}": digest})
            if run is not None:
                found[f"upstream.{name}"] = str(run.info.run_id)
        return found

    def _send(self, spool: Spool, run: str, event: Event) -> None:
        if event["kind"] == "dataset":
            self.ask(self.client.log_inputs, run, [dataset_input(event)])
        elif event["kind"] in BATCHED:
            self.log(run, [event])
        elif (file := spool.folder / event["file"]).is_file():  # else it was sent, and only the note of it was lost
            self._send_file(run, file, event)
            spool.discard(file)

    def _send_file(self, run: str, file: Path, event: Event) -> None:
        try:
            if event["kind"] == "picture":
                self.ask(partial(log_picture, self.client, run, file, event))
            else:
                self.ask(self.client.log_artifact, run, str(file), event["folder"] or None)
        except StoreShut:
            raise
        except StoreAway as away:  # the store, or only what it puts files into?
            self.ask(self.client.get_run, run)
            raise Refused(str(away), LATER) from away

    def _add_figures(self, row: str, event: Event) -> None:
        """Put figures onto a row that hasn't them yet."""
        there = self.ask(self.client.get_run, row).data.metrics
        new = {key: value for key, value in event["values"].items() if there.get(key) != value}
        self.log(row, [event | {"kind": "metrics", "step": 0, "values": new}])

    def _set_status(self, run: str, event: Event) -> None:
        if event["kind"] == "open":
            self.ask(self.client.update_run, run, "RUNNING")
            return
        if event.get("error"):
            self.log(run, [{"kind": "tags", "values": {"error": event["error"]}}])
        self.ask(self.client.set_terminated, run, str(event["status"]), int(event["time"]))

    def _on_row(self, header: Event, send: Callable[[str], None]) -> None:
        if is_alone(header):
            return
        try:
            send(self.row(header))
        except Refused as refusal:  # the pipeline's row was deleted, this run was not
            code = "INVALID_STATE" if refusal.code == GONE else refusal.code
            raise Refused(str(refusal), code) from refusal
