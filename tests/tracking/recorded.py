"""What the tracking tests read back from a store, and a process that one of them kills."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Run
from PIL import Image

from sftdec.tracking import TrackingSettings
from sftdec.tracking.refused import set_aside_before
from sftdec.tracking.settings import experiment_id, open_client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def runs(settings: TrackingSettings) -> list[Run]:
    """All runs, oldest first, a row before its first stage."""
    client = open_client(settings)
    found = client.search_runs([experiment_id(client, settings)])
    return sorted(found, key=lambda run: (run.info.start_time, run.data.tags["sftdec.kind"]))


def stage_runs(settings: TrackingSettings) -> list[Run]:
    return [run for run in runs(settings) if run.data.tags["sftdec.kind"] == "stage"]


def only(found: list[Run]) -> Run:
    assert len(found) == 1
    return found[0]


def steps(settings: TrackingSettings, run: Run, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in open_client(settings).get_metric_history(run.info.run_id, key)]


def refused(root: Path) -> list[dict[str, Any]]:
    """The records that were set aside, each with its reason."""
    folders = set_aside_before(root, everything=True)
    lines = [[json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()] for folder in folders]
    return [record | {"reason": header["refused"]} for header, record in lines]


def picture_of(folder: Path, key: str, step: int = 0) -> np.ndarray:
    """The picture that MLflow's grid shows of a run's artifact folder."""
    (file,) = (folder / "images").glob(f"{key.replace('/', '~')}+step+{step}+*.png")
    return np.asarray(Image.open(file))


def only_input(run: Run) -> types.SimpleNamespace:
    (found,) = run.inputs.dataset_inputs
    return found.dataset


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
