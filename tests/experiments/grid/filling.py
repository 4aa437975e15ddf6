"""What the tests fill a grid with, and how."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sftdec.experiments.judging as judging
from sftdec.evaluation.evaluate import evaluate_network
from sftdec.experiments import data_at_hand, fill_grid, models_at_hand
from sftdec.tracking import TrackingSettings
from sftdec.tracking.cell_runs import EXPERIMENT
from sftdec.tracking.settings import experiment_id, open_client
from tests.registry.small import make_scenes


@pytest.fixture
def project(root: Path, bright: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with scenes of two data sets and two networks; nothing is registered."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_scenes(root / "build/scenes", count=2)
    for name, weights in (("models/s3", "good"), ("comparison/sft_dec/equal_time", "better")):
        (root / f"build/{name}").parent.mkdir(parents=True)
        shutil.copy(bright[weights], root / f"build/{name}.safetensors")
    return root


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many networks were measured on a data set."""
    calls: list[int] = []

    def measure(*given, **named):
        calls.append(1)
        return evaluate_network(*given, **named)

    monkeypatch.setattr(judging, "evaluate_network", measure)
    return calls


def networks(project: Path, settings: TrackingSettings | None = None):
    """The models of the project that are files."""
    return [model for model in models_at_hand(project, (), settings) if model.kind != "method"]


def filled(project: Path, settings: TrackingSettings | None = None, **pairs: Path):
    """The grid of the project's networks."""
    data = data_at_hand(project / "build/scenes", "test", pairs)
    return fill_grid(networks(project), data, project, "cpu", settings=settings)


def cell_runs(settings: TrackingSettings):
    client = open_client(settings)
    return client.search_runs([experiment_id(client, settings, EXPERIMENT)])


def make_pairs(folder: Path) -> Path:
    """Two sharp photos, and blurred ones whose names begin with theirs; ``a_1``'s begins with ``a``'s as well."""
    generator = np.random.default_rng(3)
    for part in ("input", "ground_truth"):
        (folder / part).mkdir(parents=True)
    for name in ("a", "a_1"):
        sharp = generator.integers(80, 200, (20, 24, 3)).astype(np.uint8)
        Image.fromarray(sharp).save(folder / "ground_truth" / f"{name}.png")
        Image.fromarray((sharp * 0.8).astype(np.uint8)).save(folder / "input" / f"{name}_f2.png")
    return folder
