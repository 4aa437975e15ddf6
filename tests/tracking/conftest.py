"""A project with an empty store, and settings for it."""

import shutil
from pathlib import Path

import pytest

from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import open_client
from tests.tracking.recorded import free_port


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the schema but no experiment; making it takes seconds, copying it nothing."""
    root = tmp_path_factory.mktemp("store")
    open_client(read_settings(root, {})).search_experiments()
    return root / "mlflow.db"


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
