"""A small Git and DVC project whose stages take milliseconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.flows import commit

os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect looks while it is imported
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What needs Prefect's server is make test-services'."""
    for item in items:
        if "prefect_server" in getattr(item, "fixturenames", ()):
            item.add_marker("services")


STAGE = """
import json, os, pathlib, sys
name, source, out = sys.argv[1:4]
with open("journal.txt", "a") as journal:  # no out of any stage: what really ran, in its order
    journal.write(name + "\\n")
print(f"{name} runs in {sys.executable}")
print("of run", os.environ.get("SFTDEC_PIPELINE_RUN", "none"))
files = sorted(p for p in pathlib.Path(source).rglob("*") if p.is_file()) or [pathlib.Path(source)]
pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(out).write_text("".join(f"{p.name} {p.read_text()}" for p in files))
"""
REGISTER = """
import json, pathlib
from PIL import Image
print("the gate: version 3 is champion")
pathlib.Path("reports/figures/evaluation").mkdir(parents=True)
Image.new("RGBA", (1500, 300), (255, 0, 0, 128)).save("reports/figures/evaluation/gains.png")
metrics = {"sample": {"psnr": 27.123456, "mae": None}, "realistic": {"psnr": float("inf"), "mae": 0.5}}
pathlib.Path("reports/metrics.json").write_text(json.dumps(metrics))
gate = {"version": 3, "promoted": True, "reason": "it is better", "figures": {"gain": 0.25}, "previous": 2}
pathlib.Path(".tracking").mkdir(exist_ok=True)
pathlib.Path(".tracking/gate.json").write_text(json.dumps(gate))
"""
SLEEPER = """
import os, pathlib, signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("pid.txt").write_text(str(os.getpid()))
time.sleep(120)
"""
# register stands first: the order of the run is that of the dependencies
PIPELINE = """
stages:
  register:
    cmd: python code/register.py
    deps: [build/model.txt, code/register.py]
    outs: [reports/figures/evaluation]
    metrics: [reports/metrics.json: {cache: false}]
  fetch:
    cmd: python code/stage.py fetch data build/scenes/index.txt
    deps: [data]
    outs: [build/scenes]
  train_s1:
    cmd: python code/stage.py train_s1 build/scenes/index.txt build/model.txt
    deps: [build/scenes/index.txt]
    outs: [build/model.txt: {push: false}]
"""


def make_project(root: Path, pipeline: str) -> Path:
    for folder in ("data/sample", "code"):
        (root / folder).mkdir(parents=True)
    (root / "data/sample/recipes.csv").write_text("photo,lens\n")
    for name, text in (("stage", STAGE), ("register", REGISTER), ("sleeper", SLEEPER)):
        (root / f"code/{name}.py").write_text(text)
    (root / "dvc.yaml").write_text(pipeline)
    (root / "data.dvc").write_text("outs:\n- path: data\n  cache: false\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for command in (["init", "-q"], ["config", "core.analytics", "false"], ["add", "-q", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True)
    (root / ".gitignore").write_text(
        "/data/*\n!/data/sample/\n/.retrain/\n/.checkpoints\n/mlflow.db\n/mlruns/\n/.tracking/\n"
    )
    commit(root)
    return root


EXPERIMENT = """
stages:
  small:
    wdir: ../..
    cmd: python code/stage.py small build/small reports/small.md
    deps: [build/small]
    outs: [reports/small.md: {cache: false}]
  s2:
    wdir: ../..
    matrix: {variant: [plain, dec], seed: "${seeds}"}
    cmd: >
      python code/stage.py s2-${item.variant}-${item.seed}
      build/small/plain/${item.seed}/s1.txt build/small/${item.variant}/${item.seed}/s2.txt
    deps: ["build/small/plain/${item.seed}/s1.txt", code/stage.py]
    outs: ["build/small/${item.variant}/${item.seed}/s2.txt": {push: false}]
  s1:
    wdir: ../..
    matrix: {variant: [plain], seed: "${seeds}"}
    cmd: >
      python code/stage.py s1-${item.variant}-${item.seed}
      build/scenes/index.txt build/small/${item.variant}/${item.seed}/s1.txt
    deps: [build/scenes/index.txt]
    outs: ["build/small/${item.variant}/${item.seed}/s1.txt": {push: false}]
"""


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("pristine") / "project", PIPELINE)


@pytest.fixture
def project(pristine, tmp_path, monkeypatch):
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    return shutil.copytree(pristine, tmp_path / "project")


@pytest.fixture
def sleeping_project(tmp_path):
    """One stage that sleeps for minutes and says in pid.txt who it is."""
    pipeline = "stages:\n  sleep:\n    cmd: python code/sleeper.py\n    outs: [never.txt]\n"
    return make_project(tmp_path / "project", pipeline)


@pytest.fixture
def experiment(project):
    """The project with an experiment: two matrices, and a page of what they made."""
    folder = project / "experiments/small"
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(EXPERIMENT)
    (folder / "params.yaml").write_text("seeds: [0, 1]\n")
    return project


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """Prefect's API on an empty database, with a home of its own: the user's stays as it is."""
    from prefect.settings import PREFECT_HOME, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    home = temporary_settings({PREFECT_HOME: tmp_path_factory.mktemp("prefect")})
    with home, prefect_test_harness(server_startup_timeout=120):
        yield
