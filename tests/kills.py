"""`kill -9` of a small pipeline, again and again, at moments that are drawn; and what is there at the end.

Each execution is a process group of its own: now all of it is killed, now one process of it, wherever it is just then.
What is left has to be gone a little later, the next execution goes on, and the last one is left alone.
"""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.pipelines.turned_down import environment, git, make_copy, outs, set_params

STEPS, SHARE = 400, 20  # of a training; a checkpoint each twentieth
PATIENCE = 30.0  # s in which what was not killed has to end by itself
WHOLE, ONE = "the whole group", "one process"


@dataclass
class Told:
    """What came of all kills; ``lost`` is the largest share of a training that was taken again after one."""

    kills: Counter[str] = field(default_factory=Counter)
    ends: int = 0
    lost: float = 0.0
    faults: list[str] = field(default_factory=list)


def prepare(folder: Path) -> Path:
    """The project, in which nothing has run."""
    project = make_copy(folder / "project")
    shutil.rmtree(project / "experiments")  # DVC would read the matrices of 132 trainings with every command
    for stage in ("s1", "s2", "s3"):
        changes = {"steps": STEPS, "checkpoint_every": STEPS // SHARE, "validate_every": STEPS}
        set_params(project, **{f"train__{stage}__{key}": value for key, value in changes.items()})
    set_params(project, compute__processes=1)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "longer trainings")
    return project


def start(project: Path, flow: bool, stages: Sequence[str]) -> "subprocess.Popen[bytes]":
    """An execution, by DVC alone or as the flow."""
    module = ["pipelines.flows.retrain"] if flow else ["dvc", "repro"]
    environ = environment() | {"PYTHONPATH": os.pathsep.join([str(project / "src"), str(project)])}
    environ |= {"SFTDEC_PHOTOS": ""}
    environ |= {"PREFECT_HOME": str(project.parent / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    subprocess.run([sys.executable, "-m", "pipelines.dvc.locks"], cwd=project, env=environ, check=True)
    with (project.parent / "said.log").open("ab") as log:
        command = [sys.executable, "-m", *module, *stages]
        return subprocess.Popen(command, cwd=project, env=environ, stdout=log, stderr=log, start_new_session=True)


def kill_often(
    project: Path, count: int, flow: bool, stages: Sequence[str], seed: int = 0, seconds: float = 1e9
) -> Told:
    """Kill until there were that many kills or the time is up, then let an execution end."""
    draw, told = random.Random(seed), Told()
    deadline, longest = time.monotonic() + seconds, 20.0
    while sum(told.kills.values()) < count and time.monotonic() < deadline and not told.faults:
        begun, before = time.monotonic(), reached(project)
        running = start(project, flow, stages)
        with suppress(subprocess.TimeoutExpired):
            if running.wait(draw.uniform(0, longest)) == 0:  # it has ended by itself: the next one begins anew
                told.ends, longest = told.ends + 1, max(2.0, (time.monotonic() - begun) * 0.9)
                forget(project)
                continue
            told.faults.append(f"an execution ended with {running.returncode}")
            break
        longest *= 1.05
        how = draw.choice([WHOLE, ONE])
        told.kills[how] += 1
        kill(running, how, draw)
        running.wait()
        told.faults += [f"after kill {sum(told.kills.values())} lives: {each}" for each in living(project)]
        after, taken = reached(project), stepped(project)
        told.faults += [
            f"{key} went back from {step} to {after[key]}"
            for key, step in before.items()
            if after.get(key, step) < step
        ]
        told.lost = max([told.lost, *((step - after.get(key, 0)) / STEPS for key, step in taken.items())])
    if not told.faults:
        last = start(project, flow, stages)
        if last.wait():
            told.faults.append(f"the last execution ended with {last.returncode}")
        told.faults += left(project)
    return told


def kill(running: "subprocess.Popen[bytes]", how: str, draw: random.Random) -> None:
    """All of the group, or any one of its processes; a sole survivor of DVC's or the flow's is no use: it ends too."""
    if how == WHOLE:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        return
    with suppress(psutil.Error):
        whole = psutil.Process(running.pid)
        draw.choice([whole, *whole.children(recursive=True)]).kill()


def living(project: Path) -> list[str]:
    """The project's processes that don't end by themselves."""
    end = time.monotonic() + PATIENCE
    while True:
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            with suppress(psutil.Error):
                if process.info["status"] != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(project):
                    found.append(" ".join(process.info["cmdline"])[:100])
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def reached(project: Path) -> dict[str, int]:
    """The step of each training's newest checkpoint."""
    found: dict[str, int] = {}
    for path in (project / ".checkpoints").glob("*/step-*.pt"):
        stage = path.parent.name.partition("-")[0]
        found[stage] = max(found.get(stage, 0), int(path.stem.partition("-")[2]))
    return found


def stepped(project: Path) -> dict[str, int]:
    """The newest step that each unfinished training has told its run of."""
    found: dict[str, int] = {}
    for path in project.glob("**/.tracking/train_*/events.jsonl"):
        text = path.read_text("utf-8")
        steps = [int(number) for number in re.findall(r'"loss.*"step": (\d+)', text)]
        stage = path.parent.name.partition("-")[0].removeprefix("train_")
        if steps and '"kind": "close"' not in text and stage in reached(project):
            found[stage] = max(steps)
    return found


def forget(project: Path) -> None:
    """Have the next execution begin from the start, with no result to find in DVC's cache."""
    for name in (".dvc/cache", ".dvc/tmp", ".retrain", "build", "dvc.lock", ".checkpoints"):
        path = project / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    git(project, "worktree", "prune")


def left(project: Path) -> list[str]:
    """What nobody should have left, in words."""
    found = [f"left: {path}" for path in project.rglob("*.part")]
    found += [f"left: {path}" for path in (project / ".git").rglob("*.lock")]
    found += [f"left: {path}" for path in (project / ".checkpoints").glob("*/step-*")]
    for note in project.rglob(".dvc/tmp/rwlock"):  # DVC keeps the names of dead readers, and heeds them no more
        holders = {int(number) for number in re.findall(r'"pid": (\d+)', note.read_text())}
        found += [f"{note} is held by a living process" for number in holders if psutil.pid_exists(number)]
    if (project / "mlflow.db").is_file():
        with closing(sqlite3.connect(project / "mlflow.db")) as database:
            (running,) = database.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
        found += [f"{running} MLflow runs stay RUNNING"] if running else []
    return found + [f"lives: {each}" for each in living(project)]


def results(project: Path, flow: bool) -> dict[str, str]:
    """The checksums of all outs that are the same whoever made them."""
    return outs(project / ".retrain/worktree" if flow else project)
