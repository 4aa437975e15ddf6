"""A project with an empty store, and settings for it."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sftdec.tracking import TrackingSettings, background, read_settings
from sftdec.tracking.settings import open_client
from tests.tracking.recorded import free_port


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the schema but no experiment; making it takes seconds, copying it nothing."""
    root = tmp_path_factory.mktemp("store")
    open_client(read_settings(root, {})).search_experiments()
    return root / "mlflow.db"


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """What starts a process that sends as a fork of one that has imported MLflow."""
    address = tmp_path_factory.mktemp("imported") / "socket"
    script = str(Path(__file__).with_name("imported.py"))
    process = subprocess.Popen([sys.executable, script, "serve", str(address)])
    try:
        while not address.exists():
            assert process.poll() is None
            time.sleep(0.05)
        yield sys.executable, "-S", script, str(address)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def sending_soon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing MLflow is most of what a test of a stage would take; `own_process` is for those about the process."""
    if "own_process" not in request.keywords and hasattr(socket, "send_fds"):
        monkeypatch.setattr(background, "SENDS", request.getfixturevalue("imported"))


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    """A project with parameters, data, source and an empty store."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    (tmp_path / "params.yaml").write_text("network: {size: small}\ntrain: {common: {seed: 3}}\n")
    (tmp_path / "data.dvc").write_text("outs: []\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("answer = 42\n")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> TrackingSettings:
    return read_settings(root, {})


@pytest.fixture
def away(root: Path) -> TrackingSettings:
    """The address of a server that is not there: a port nobody listens on."""
    return read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})
