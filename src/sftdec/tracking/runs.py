"""A flow's own row, and a data set as MLflow takes it."""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftdec.lineage import read_flat_params
from sftdec.runtime import without_passwords
from sftdec.tracking.processes import circumstances, this_process
from sftdec.tracking.rows import PROCESS, create_row, end_dead_rows, has_file
from sftdec.tracking.settings import (
    TrackingError,
    TrackingSettings,
    experiment_id,
    in_a_sentence,
    open_client,
    read_settings,
    short_patience,
)

LOG = logging.getLogger(__name__)
PAGE = Path("reports/report.html")  # of an execution, in its row

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput


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


def log_picture(client: "MlflowClient", run_id: str, file: Path, event: Mapping[str, Any]) -> None:
    """A spooled picture as MLflow's image grid wants it."""
    from PIL import Image

    with Image.open(file) as image:
        moment = (int(event["step"]), int(event["time"]))
        client.log_image(run_id, image, None, event["key"], *moment, synchronous=True)


def open_pipeline_run(root: Path, settings: TrackingSettings | None = None, source: str = "") -> str:
    """A new row for one execution of the pipeline: params.yaml as parameters, the lineage as tags.

    ``source``: the file that MLflow shows it to be of, where that isn't the script that was started.
    Returns its run id, which a flow hands to its stages as ``SFTDEC_PIPELINE_RUN`` and to
    ``close_pipeline_run``. Raises ``TrackingError`` where the store is away: the stages then find a row
    by its lineage.
    """
    settings = settings or read_settings(root)
    with _store(settings) as client:
        experiment = experiment_id(client, settings)
        end_dead_rows(client, experiment)
        tags = circumstances(root) | {PROCESS: this_process()} | ({"mlflow.source.name": source} if source else {})
        return create_row(client, experiment, tags, read_flat_params(root), int(time.time() * 1000))


def close_pipeline_run(
    root: Path,
    run_id: str,
    error: str | None = None,
    settings: TrackingSettings | None = None,
    judged: bool = False,
) -> None:
    """End a row that ``open_pipeline_run`` opened: FINISHED, or FAILED with the tag ``error``.

    ``judged``: its evaluation is up to date, so figures and page that no stage has brought, as DVC had them in its
    cache, come from the project at ``root``.

    Raises ``TrackingError`` where the store is away.
    """
    with _store(settings or read_settings(root)) as client:
        if error:
            client.set_tag(run_id, "error", without_passwords(error)[:5000])
        client.set_terminated(run_id, "FAILED" if error else "FINISHED")
        if judged and not error:
            try:
                _bring_results(client, run_id, root / "reports")
            except Exception as refused:  # whatever an artefact store can fail with: the row is closed
                LOG.warning("MLflow run %s lacks figures or its page: %s", run_id, in_a_sentence(refused))


@contextmanager
def _store(settings: TrackingSettings) -> Iterator["MlflowClient"]:
    """A client that does not wait minutes for a server that is away."""
    with short_patience():
        client = open_client(settings)
        from mlflow.exceptions import MlflowException

        try:
            yield client
        except MlflowException as error:
            raise TrackingError(f"{settings.shown}: {in_a_sentence(error)}") from error


def figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Results, flat or as in metrics.json: ``{"sample": {"psnr": …}}`` becomes ``sample.psnr``.

    Where ``psnr_blurred`` stands beside it, ``sample.psnr_gain`` (dB) is added. What is no number is left out.
    """
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        inner = dict(value) if isinstance(value, Mapping) else {"": value}
        if is_number(inner.get("psnr")) and is_number(inner.get("psnr_blurred")):
            inner["psnr_gain"] = inner["psnr"] - inner["psnr_blurred"]
        named = {f"{key}.{name}" if name else key: number for name, number in inner.items()}
        flat |= {name: float(number) for name, number in named.items() if is_number(number)}
    return flat


def is_number(value: Any) -> bool:
    """Whether a value is one that MLflow draws."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bring_results(client: "MlflowClient", run_id: str, reports: Path) -> None:
    from mlflow.entities import Metric

    now, found = int(time.time() * 1000), reports / "metrics.json"
    if found.is_file() and not client.get_run(run_id).data.metrics:
        values = figures(json.loads(found.read_text("utf-8")))
        client.log_batch(run_id, [Metric(mlflow_name(key), value, now, 0) for key, value in values.items()])
    if (page := reports / PAGE.name).is_file() and not has_file(client, run_id, PAGE):
        client.log_artifact(run_id, str(page), PAGE.parent.as_posix())


def mlflow_name(key: str) -> str:
    """A key that MLflow takes: letters, digits and ``_-./ :``, at most 250 characters."""
    return re.sub(r"[^\w/.\- :]", "_", key)[:250]
