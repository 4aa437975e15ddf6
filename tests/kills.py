"""`kill -9` of a small pipeline, again and again, at moments that are drawn; and what is there at the end.

Each execution is a process group of its own: now all of it is killed, now one process of it, wherever it is just then:
the moment is drawn of as long as a whole execution takes. What is left has to be gone a little later, the next one goes
on, and the last one is left alone. Most that end by themselves are followed by one that has to train only, so that most
kills meet a training.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from tests.pipelines.turned_down import environment, git, make_copy, outs, set_params
from tests.services.executions import PrefectApi
from tests.services.servers import prefect_server

STEPS, SHARE = 200, 20  # of a training; a checkpoint each twentieth
PATIENCE = 30.0  # s in which what was not killed has to end by itself
WHOLE, ONE = "the whole group", "one process"
ANEW = 0.2  # share of executions that begin with nothing, once one has ended


@dataclass
class Told:
    """What came of all kills; ``lost`` is the largest share of a training that was taken again after one.

    ``seconds``: how long the last execution took.
    """

    kills: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    ends: int = 0
    seconds: float = 0.0
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


def start(project: Path, flow: bool, stages: Sequence[str], more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """An execution, by DVC alone or as the flow; ``more`` is set in its environment."""
    module = ["pipelines.flows.retrain"] if flow else ["dvc", "repro"]
    environ = environment() | {"PYTHONPATH": os.pathsep.join([str(project / "src"), str(project)])}
    environ |= {"SFTDEC_PHOTOS": "", **more}
    subprocess.run([sys.executable, "-m", "pipelines.dvc.locks"], cwd=project, env=environ, check=True)
    with (project.parent / "said.log").open("ab") as log:
        command = [sys.executable, "-m", *module, *stages]
        return subprocess.Popen(command, cwd=project, env=environ, stdout=log, stderr=log, start_new_session=True)


def kill_often(
    project: Path,
    count: int,
    flow: bool,
    stages: Sequence[str],
    more: Mapping[str, str],
    longest: float = 60.0,
    seed: int = 0,
    seconds: float = 1e9,
) -> Told:
    """Kill until there were that many kills or the time is up, then let an execution end.

    ``longest`` is how long an undisturbed one takes, s.
    """
    draw, told, deadline = random.Random(seed), Told(), time.monotonic() + seconds
    place = project / ".retrain/worktree" if flow else project
    anew, whole, lasts = (
        True,
        True,
        {True: longest, False: longest},
    )  # s of one that begins with nothing, or trains only
    while sum(told.kills.values()) < count and time.monotonic() < deadline and not told.faults:
        before, begun = reached(project), time.monotonic()
        running = start(project, flow, stages, more)
        with suppress(subprocess.TimeoutExpired):
            if running.wait(draw.uniform(0, lasts[anew])) == 0:
                told.ends += 1
                if whole:
                    lasts[anew] = 1.1 * (time.monotonic() - begun)
                anew, whole = not noted_trainings(place) or draw.random() < ANEW, True
                forget(project, place, anew)
                continue
            told.faults.append(f"an execution ended with {running.returncode}")
            break
        whole, how = False, draw.choice([WHOLE, ONE])
        told.kills[how] += 1
        where = at_work(running, project)
        told.places[where] += 1
        seen = before | reached(project)
        kill(running, how, draw)
        running.wait()
        found = [f"lives: {each}" for each in living(project)]
        after, taken, noted = reached(project), stepped(project), noted_trainings(place)
        found += [
            f"{key} went back from {step} to {after.get(key, 'nothing')}"
            for key, step in seen.items()
            if after.get(key, STEPS if key in noted else -1) < step
        ]
        lost = max([0.0, *((step - after.get(key, 0)) / STEPS for key, step in taken.items())])
        found += [f"{lost:.1%} of a training is lost"] if lost > 1 / SHARE else []
        told.lost = max(told.lost, lost)
        told.faults += [f"after kill {sum(told.kills.values())}: {fault}" for fault in found]
        print(f"  kill {sum(told.kills.values())} of {how}: {where}; {'; '.join(found) or 'no fault'}", flush=True)
    if not told.faults:
        begun = time.monotonic()
        last = start(project, flow, stages, more)
        if last.wait():
            told.faults.append(f"the last execution ended with {last.returncode}")
        told.seconds = time.monotonic() - begun
        told.faults += left(project) + unfinished(more)
    return told


def at_work(running: "subprocess.Popen[bytes]", project: Path) -> str:
    """The stage that is at work, and of a training how far it is."""
    with suppress(psutil.Error):
        for process in psutil.Process(running.pid).children(recursive=True):
            words = process.cmdline()
            module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
            if not module.startswith("pipelines.stages."):
                continue
            if not module.endswith(".train"):
                return module.rpartition(".")[2]
            step = reached(project).get(words[-1], 0)
            how_far = "at its end" if step == STEPS else "training" if step else "beginning"
            return f"train_{words[-1]}, {how_far}"
    return "between stages"


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


def noted_trainings(place: Path) -> set[str]:
    """Those whose result DVC has noted there."""
    file = place / "dvc.lock"
    stages = yaml.safe_load(file.read_text("utf-8"))["stages"] if file.is_file() else {}
    return {name.removeprefix("train_") for name in stages if name.startswith("train_")}


def forget(project: Path, place: Path, everything: bool) -> None:
    """Have the next execution begin with nothing, or with its trainings, of which DVC's cache gives no result."""
    names = [".dvc/cache", ".dvc/tmp", ".retrain", "build", "dvc.lock"] if everything else [".dvc/cache/runs"]
    gone = [project / name for name in (*names, ".checkpoints")]
    if not everything:
        gone += [place / "build" / name for name in ("models", "curves")]
        lock = yaml.safe_load((place / "dvc.lock").read_text("utf-8"))
        lock["stages"] = {key: value for key, value in lock["stages"].items() if not key.startswith("train_")}
        (place / "dvc.lock").write_text(yaml.safe_dump(lock), "utf-8")
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    git(project, "worktree", "prune")


def left(project: Path) -> list[str]:
    """What nobody should have left, in words."""
    found = [f"left: {path}" for path in project.rglob("*.part")]
    found += [f"left: {path}" for path in (project / ".git").rglob("*.lock")]
    found += [
        f"left: {path}"
        for path in (project / ".checkpoints").glob("*/step-*")
        if not (path.parent / "done").is_file()  # stays until the next stage begins
    ]
    for note in project.rglob(".dvc/tmp/rwlock"):  # DVC keeps the names of dead readers, and heeds them no more
        holders = {int(number) for number in re.findall(r'"pid": (\d+)', note.read_text())}
        found += [f"{note} is held by a living process" for number in holders if psutil.pid_exists(number)]
    if (project / "mlflow.db").is_file():
        with closing(sqlite3.connect(project / "mlflow.db")) as database:
            (running,) = database.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
        found += [f"{running} MLflow runs stay RUNNING"] if running else []
    return found + [f"lives: {each}" for each in living(project)]


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server for all executions; what has them use it."""
    server, address = prefect_server(folder)
    server.start()
    try:
        server.wait_for(f"{address}/api/health")
        yield {"PREFECT_API_URL": f"{address}/api", "PREFECT_HOME": str(folder / "prefect")}
    finally:
        server.stop()


def unfinished(more: Mapping[str, str]) -> list[str]:
    """Flow runs that Prefect takes for running though none is."""
    if "PREFECT_API_URL" not in more:
        return []
    return [f"{run.name} stays {run.state_name}" for run in PrefectApi(more["PREFECT_API_URL"]).at_work("retrain")]


def results(project: Path, flow: bool) -> dict[str, str]:
    """The checksums of all outs that are the same whoever made them."""
    return outs(project / ".retrain/worktree" if flow else project)
