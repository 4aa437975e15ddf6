"""Where runs are kept, and how MLflow is spoken to: quietly, and without a call home."""

import logging
import os
import socket
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sftdec.runtime import HIDDEN, LOOPBACK, held_file, hush, spare_loopback, without_passwords
from sftdec.tracking.moved import follow
from sftdec.tracking.spool import FOLDER

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "sft-dec"
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass(frozen=True)
class TrackingSettings:
    """The address of the tracking store and what this process is to do with it."""

    uri: str = field(repr=False)  # a password may stand in it: ``shown`` is for people
    artifact_location: str | None
    enabled: bool = True
    pipeline_run: str | None = None

    @property
    def shown(self) -> str:
        """The address as it may be printed."""
        return without_passwords(self.uri)

    @property
    def page(self) -> str:
        """The address of a server that a browser is given: it asks for the password itself."""
        return self.shown.replace(f"{HIDDEN}@", "").rstrip("/")

    @property
    def is_remote(self) -> bool:
        """True for a tracking server, False for a database that this process opens itself."""
        return urlsplit(self.uri).scheme in ("http", "https")

    @property
    def database(self) -> Path | None:
        """The file of a SQLite store, None for every other kind."""
        file = self.uri.removeprefix("sqlite:///").partition("?")[0]
        return Path(file) if self.uri.startswith("sqlite:///") and file else None

    @property
    def exists(self) -> bool:
        """False where opening the store would first have to create it (8 s of migrations)."""
        return self.database is None or self.database.is_file()


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> TrackingSettings:
    """The settings of the project at ``root``; the one place that reads the environment.

    ``MLFLOW_TRACKING_URI`` is the store (left out: ``<root>/mlflow.db``), ``SFTDEC_TRACKING=off`` switches
    tracking off, ``SFTDEC_PIPELINE_RUN`` is the run id of the pipeline's row when a flow opened one.
    """
    root = root.resolve()
    uri = environment.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    settings = TrackingSettings(
        uri=uri,
        artifact_location=None,
        enabled=environment.get("SFTDEC_TRACKING", "on").lower() not in ("off", "0", "false", "no"),
        pipeline_run=environment.get("SFTDEC_PIPELINE_RUN") or None,
    )
    if settings.is_remote:  # a server decides for itself where artifacts lie
        return settings
    beside = settings.database.resolve().parent if settings.database else root  # shared by all who share the database
    location = (beside / "mlruns" / EXPERIMENT).as_uri()
    return TrackingSettings(uri, location, settings.enabled, settings.pipeline_run)


def silence_mlflow() -> None:
    """Keep MLflow from calling home, from chatting and from asking a server of this machine through a proxy; cheap.

    To be called before its import.
    """
    spare_loopback()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # with its password
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)


def open_client(settings: TrackingSettings) -> "MlflowClient":
    """A client on the store; the first one of a process imports MLflow (2.6 s).

    Raises ``TrackingError`` at once where no server answers, which MLflow itself takes minutes to find out, and where
    MLflow can't open the store: a database of another MLflow, a file that is none, a driver that isn't there.
    """
    if settings.is_remote and not server_answers(settings.uri):
        raise TrackingError(f"{settings.shown} does not answer; start the MLflow server, or mend MLFLOW_TRACKING_URI")
    if settings.database:
        follow(settings.database)
    silence_mlflow()
    from mlflow import MlflowClient
    from mlflow.version import VERSION

    with warnings.catch_warnings(), _one_creates(settings.database):
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return MlflowClient(tracking_uri=settings.uri)
        except Exception as error:  # of MLflow, SQLAlchemy, a driver, or the import of one
            if is_locked(error):
                raise StoreBusyError(f"{settings.shown}: {in_a_sentence(error)}") from error
            mend = "mend MLFLOW_TRACKING_URI, or take the MLflow that wrote it (constraints.txt pins this project's)"
            found = f"MLflow {VERSION} can't open it: {in_a_sentence(error)}"
            raise TrackingError(f"{settings.shown}: {found}; nothing in it was changed; {mend}") from error


def _one_creates(database: Path | None) -> AbstractContextManager[None]:
    """Where a database isn't there yet, one process makes its tables and the others wait: MLflow lets all of them."""
    if database is None or not database.parent.is_dir():
        return nullcontext()
    lock = database.resolve().parent / FOLDER / f"{database.name}.created.lock"
    if database.is_file() and not lock.is_file():  # it was there before all that runs here
        return nullcontext()
    try:
        lock.parent.mkdir(exist_ok=True)
    except OSError:
        return nullcontext()  # MLflow says what is wrong with the folder
    return held_file(lock)


def is_locked(error: Exception) -> bool:
    """Whether another process holds the database, which passes."""
    return "database is locked" in str(error)


def in_a_sentence(error: Exception) -> str:
    """An error of MLflow's or its database's without SQL and passwords, and with the mend where that is to wait."""
    said = (str(hush(error)).splitlines() or [type(error).__name__])[0].rstrip(". ")
    return f"{said}; another process is writing to it: try again once that has ended" if is_locked(error) else said


def experiment_id(client: "MlflowClient", settings: TrackingSettings, name: str = EXPERIMENT) -> str:
    """The id of an experiment, by default ``sft-dec``, made where it is missing.

    Raises ``TrackingError`` where the experiment was deleted: its runs would be thrown away with it.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        location = settings.artifact_location
        beside = None if location is None else f"{location.rpartition('/')[0]}/{name}"
        return str(client.create_experiment(name, artifact_location=beside))
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"{settings.shown}: the experiment {name!r} is deleted, so no run can be added to it; "
            f"bring it back with `mlflow experiments restore --experiment-id {found.experiment_id}`"
        )
    return str(found.experiment_id)


def server_answers(uri: str) -> bool:
    """Whether a tracking server listens, found out in 2 s at most; taken for granted behind a proxy."""
    parts = urlsplit(uri)
    host = parts.hostname or "localhost"
    proxied = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
    if proxied and host not in LOOPBACK:
        return True
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def short_patience() -> Iterator[None]:
    """MLflow waits 120 s and tries 7 times by itself; the spool can wait better. What the user set stays."""
    added = {key: value for key, value in PATIENCE.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


@contextmanager
def fluent_store(settings: TrackingSettings) -> Iterator[None]:
    """The store as MLflow's global one, for the calls that take no address; put back afterwards."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI", "")
    mlflow.set_tracking_uri(settings.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        if not before:
            os.environ.pop("MLFLOW_TRACKING_URI", None)


class TrackingError(ValueError):
    """The tracking store can't be used as it is; the message says why and what mends it."""


class StoreBusyError(TrackingError):
    """Another process holds the store's database; it is worth another attempt."""
