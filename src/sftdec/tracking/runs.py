"""Finding runs by their tags, and the row that stands for one execution of the pipeline."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftdec.lineage import lineage, read_flat_params
from sftdec.tracking.settings import (
    TrackingError,
    TrackingSettings,
    experiment_id,
    open_client,
    read_settings,
    short_patience,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run


def find_run(client: "MlflowClient", experiment: str, tags: Mapping[str, str]) -> "Run | None":
    """The newest run of the experiment that bears all these tags."""
    conditions = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
    newest_first = ["start_time DESC"]
    found = client.search_runs([experiment], " and ".join(conditions), max_results=1, order_by=newest_first)
    return found[0] if found else None


def dataset_input(event: Mapping[str, Any]) -> "DatasetInput":
    """A spooled data set as MLflow's own kind of run input."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=event["name"],
        digest=event["digest"],
        source_type="local",
        source=json.dumps({"uri": event["path"]}),
        profile=json.dumps(event["profile"]),
    )
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", event["context"])])


def open_parent(
    client: "MlflowClient", experiment: str, tags: Mapping[str, str], params: Mapping[str, str], time_ms: int
) -> str:
    """The run id of the row with the lineage of ``tags``; the row is made where it is missing."""
    identity = {"sftdec.lineage": tags["sftdec.lineage"], "sftdec.kind": "pipeline"}
    found = find_run(client, experiment, identity)
    return str(found.info.run_id) if found else _create_parent(client, experiment, tags, params, time_ms)


def open_pipeline_run(root: Path, settings: TrackingSettings | None = None) -> str:
    """A new row for one execution of the pipeline: params.yaml as parameters, the lineage as tags.

    Returns its run id, which a flow hands to its stages as ``SFTDEC_PIPELINE_RUN`` and to
    ``close_pipeline_run``. Raises ``TrackingError`` where the store is away: the stages then find a row
    by its lineage.
    """
    settings = settings or read_settings(root)
    with _store(settings) as client:
        tags = lineage(root).tags()
        now = int(time.time() * 1000)
        return _create_parent(client, experiment_id(client, settings), tags, read_flat_params(root), now)


def close_pipeline_run(
    root: Path, run_id: str, error: str | None = None, settings: TrackingSettings | None = None
) -> None:
    """End a row that ``open_pipeline_run`` opened: FINISHED, or FAILED with the tag ``error``.

    Raises ``TrackingError`` where the store is away.
    """
    with _store(settings or read_settings(root)) as client:
        if error:
            client.set_tag(run_id, "error", error[:5000])
        client.set_terminated(run_id, "FAILED" if error else "FINISHED")


@contextmanager
def _store(settings: TrackingSettings) -> Iterator["MlflowClient"]:
    """A client that does not wait minutes for a server that is away."""
    with short_patience():
        client = open_client(settings)
        from mlflow.exceptions import MlflowException

        try:
            yield client
        except MlflowException as error:
            raise TrackingError(f"{settings.uri}: {error}") from error


def _create_parent(
    client: "MlflowClient", experiment: str, tags: Mapping[str, str], params: Mapping[str, str], time_ms: int
) -> str:
    from mlflow.entities import Param

    name = f"pipeline {tags['sftdec.lineage'][:8]}"
    own = {key: value for key, value in tags.items() if not key.startswith("sftdec.stage")}
    run = client.create_run(experiment, int(time_ms), own | {"sftdec.kind": "pipeline"}, name)
    listed = [Param(key, value) for key, value in params.items()]
    for start in range(0, len(listed), 100):
        client.log_batch(run.info.run_id, params=listed[start : start + 100])
    return str(run.info.run_id)
