"""A project with an empty registry, and weights to put into it, each made by a run of the project's commit."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sftdec.lineage import lineage
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.registry import Judge, promote, register
from sftdec.runtime import checksum
from sftdec.tracking import WEIGHTS, TrackingSettings, experiment_id, open_client, read_settings
from tests.registry.small import brightening, make_scenes

MOMENT = "2026-01-01T00:00:00Z"  # so that the commit has one name wherever the project lies


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    dated = {**os.environ, "GIT_AUTHOR_DATE": MOMENT, "GIT_COMMITTER_DATE": MOMENT}
    subprocess.run(["git", *identity, *arguments], cwd=root, env=dated, check=True)


def recorded(weights: Path, root: Path, settings: TrackingSettings, **tags: str) -> str:
    """The run that a training of the project as it is leaves of these weights."""
    client = open_client(settings)
    made: Mapping[str, str] = {f"out.{WEIGHTS}": checksum(weights), **lineage(root).tags(), **tags}
    return str(client.create_run(experiment_id(client, settings), tags=dict(made)).info.run_id)


def make_project(root: Path) -> Path:
    (root / "params.yaml").write_text("network: {size: small}\n")
    (root / ".gitignore").write_text("/mlflow.db\n")
    git(root, "init", "--quiet")
    git(root, "add", "params.yaml", ".gitignore")
    git(root, "commit", "--quiet", "--message", "all there is")
    return root


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory, trained: list[Path], bright: dict[str, Path]) -> Path:
    """A SQLite store with those trainings' runs alone; making it takes seconds, copying it nothing."""
    root = make_project(tmp_path_factory.mktemp("registry"))
    for weights in (*trained, *bright.values()):
        recorded(weights, root, read_settings(root, {}))
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        location = read_settings(tmp_path, {}).artifact_location
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'sft-dec'", (location,))
    return make_project(tmp_path)


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


@pytest.fixture
def two(root: Path, settings: TrackingSettings, bright: dict[str, Path]) -> Path:
    """A registry of two versions, whose first serves."""
    for name in ("good", "better"):
        register(bright[name], None, {}, root, settings=settings)
    promote(1, "the first", root, settings)
    return root
