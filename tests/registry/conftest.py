"""A project with an empty registry, and weights to put into it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.registry import Judge
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import open_client
from tests.registry.small import brightening, make_scenes


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


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
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "params.yaml")
    git(tmp_path, "commit", "--quiet", "--message", "all there is")
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


@pytest.fixture
def judge(root: Path, settings: TrackingSettings) -> Judge:
    return Judge(make_scenes(root / "scenes"), "test", "cpu", root, settings)


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights by how good they are on the dark photos: the best one adds most."""
    folder = tmp_path_factory.mktemp("bright")
    levels = {"worst": 0.01, "worse": 0.02, "good": 0.03, "better": 0.06, "best": 0.08, "corrupt": float("nan")}
    return {name: brightening(folder / f"{name}.safetensors", level) for name, level in levels.items()}
