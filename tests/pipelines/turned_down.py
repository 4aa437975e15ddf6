"""A committed copy of this checkout that trains for seconds: few scenes, few steps, a narrow network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]
STEPS = {"s1": 10, "s2": 24, "s3": 6, "end_to_end": 10}  # 40 in all


def environment():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    dropped = ("MLFLOW_TRACKING_URI", "SFTDEC_PIPELINE_RUN", "SFTDEC_TRACKING")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "PATH": path, "PYTHONPATH": "src", "DO_NOT_TRACK": "1"}


def dvc(project, *arguments, check=True, tracking=True):
    command = [sys.executable, "-m", "dvc", *arguments]
    environ = environment() if tracking else {**environment(), "SFTDEC_TRACKING": "off"}
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def git(project, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=project, check=True, capture_output=True, text=True
    ).stdout


def set_params(project, **changes):
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        section, name = params, key.split("__")
        for part in name[:-1]:
            section = section[part]
        section[name[-1]] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def outs(project):
    """The hashes of every out in dvc.lock."""
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}


def make_copy(project, tests="motorcycle_far"):
    """The copy, at `project`, with the test scenes whose names match `tests`; nothing has run in it."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    recipes = pd.read_csv(project / "data/sample/recipes.csv", dtype=str, keep_default_na=False)
    recipes.loc[recipes["split"] == "train", "count"] = "2"
    recipes.loc[recipes["split"] == "validation", "count"] = "1"
    recipes = recipes[(recipes["split"] != "test") | recipes["name"].str.contains(tests)]
    recipes.to_csv(project / "data/sample/recipes.csv", index=False)
    set_params(project, evaluate__panels=1, network__features=16, network__blocks=2)
    set_params(project, train__common__threads=1, train__common__crop=48, train__common__batch_size=4)
    for stage, steps in STEPS.items():
        changes = {"steps": steps, "warm_up": 2, "validate_every": 100, "checkpoint_every": 5}
        set_params(project, **{f"train__{stage}__{key}": value for key, value in changes.items()})
    (project / "dvc.lock").unlink(missing_ok=True)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "turned down")
    return project
