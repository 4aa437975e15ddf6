"""A project with an empty registry, and weights to put into it."""

import shutil
from pathlib import Path

import pytest

from sftdec.networks import NetworkConfig, build_network, save_weights
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import open_client


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the schema alone; making it takes seconds, copying it nothing."""
    root = tmp_path_factory.mktemp("registry")
    open_client(read_settings(root, {})).search_experiments()
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    (tmp_path / "params.yaml").write_text("network: {size: small}\n")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> TrackingSettings:
    return read_settings(root, {})


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three weights files of the small network, each with other random weights."""
    folder = tmp_path_factory.mktemp("trained")
    paths = []
    for seed in range(3):
        paths.append(folder / f"seed{seed}.safetensors")
        save_weights(build_network(NetworkConfig.of_size("small"), seed), paths[-1])
    return paths
