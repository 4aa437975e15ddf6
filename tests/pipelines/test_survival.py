"""What a retraining survives: `kill -9` in each stage, a second retraining, a person at work in the checkout."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prefect.context import FlowRunContext

from pipelines.dvc.stages import StageResult, run_dvc
from pipelines.flows.retrain import retrain
from tests.pipelines.conftest import make_project
from tests.pipelines.dvc.test_stages import alive, quiet
from tests.pipelines.flows import commit, outcomes, worktree

pytestmark = [pytest.mark.slow, pytest.mark.services]

PATIENCE = 120.0
STAGE = """
import os, pathlib, sys, time
name, source, out = sys.argv[1:4]
def stop_here():  # as told, for the test to kill it
    if os.environ.get("HELD_STAGE") == name:
        pathlib.Path(f"{name}.pid.new").write_text(str(os.getpid()))
        os.replace(f"{name}.pid.new", f"{name}.pid")
        time.sleep(600)
out, state = pathlib.Path(out), pathlib.Path(".checkpoints") / name
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text("half a resu")
steps = int(state.read_text()) if state.is_file() else 0
print(f"{name} goes on from step {steps}", flush=True)
for step in range(steps, 8):
    if name == "train_s1":
        state.write_text(str(step))
    if step == 5:
        stop_here()
text = "".join(p.read_text() for p in sorted(pathlib.Path(source).rglob("*")) if p.is_file())
out.write_text(f"{name}({text.strip()})\\n")
state.unlink(missing_ok=True)
"""
PIPELINE = """
stages:
  fetch: {cmd: python code/stage.py fetch data build/scenes/index.txt, deps: [data], outs: [build/scenes]}
  train_s1: {cmd: python code/stage.py train_s1 build/scenes build/s1/w.txt, deps: [build/scenes], outs: [build/s1]}
  register:
    cmd: python code/stage.py register build/s1 build/registered.txt
    deps: [build/s1]
    outs: [build/registered.txt: {cache: false}]
"""
STAGES = ["fetch", "train_s1", "register"]
DONE = "register(train_s1(fetch(photo,lens)))\n"


@dataclass
class Story:
    """What was seen while three executions were killed, each in another stage, and a fourth was left alone."""

    root: Path
    orphans: list[int] = field(default_factory=list)
    beside: str = ""
    second: object = None
    end: list[StageResult] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(tmp_path_factory, prefect_server):
    root = make_project(tmp_path_factory.mktemp("survival") / "project", PIPELINE)
    (root / "code/stage.py").write_text(STAGE)
    (root / ".checkpoints").mkdir()
    (root / ".gitignore").write_text((root / ".gitignore").read_text() + "/build/\n")
    commit(root)
    told = Story(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SFTDEC_TRACKING", "off")
        for stage in STAGES:
            flow = start(root, stage)
            try:
                pid = stage_of(flow, worktree(root) / f"{stage}.pid")
                if stage == "fetch":
                    told.second = scheduled(root)
                if stage == "register":
                    told.beside = "\n".join(run_dvc(["repro"], root, quiet))
            finally:
                flow.kill()
                flow.wait()
            deadline = time.monotonic() + PATIENCE
            while alive(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            told.orphans += [pid] if alive(pid) else []
        told.end = retrain(root=root)
    return told


def scheduled(root):
    """A retraining that a schedule has started meanwhile."""
    real = FlowRunContext.get

    def asked():
        if (context := real()) is not None:
            context.flow_run.auto_scheduled = True
        return context

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FlowRunContext, "get", asked)
        return retrain(root=root, return_state=True)


def start(root, held):
    from prefect.settings import PREFECT_API_URL

    code = "import sys, pathlib; from pipelines.flows.retrain import retrain; retrain(root=pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "HELD_STAGE": held, "PREFECT_API_URL": PREFECT_API_URL.value()}
    with (root.parent / "flows.log").open("a") as log:
        return subprocess.Popen([sys.executable, "-c", code, str(root)], env=environment, stdout=log, stderr=log)


def stage_of(flow, mark):
    """The process of the stage that has come as far as it is to be killed."""
    deadline = time.monotonic() + PATIENCE
    while not mark.is_file():
        assert flow.poll() is None and time.monotonic() < deadline, f"{mark.name}: the stage wasn't reached"
        time.sleep(0.05)
    pid = int(mark.read_text())
    mark.unlink()
    return pid


def test_a_stage_ends_with_the_flow_that_is_killed(story):
    assert story.orphans == []


def test_after_a_kill_in_each_stage_the_next_execution_ends_with_an_undisturbed_ones_bytes(story):
    assert (worktree(story.root) / "build/registered.txt").read_text() == DONE
    assert "train_s1 goes on from step 5" in (story.root.parent / "flows.log").read_text()
    assert outcomes(story.end) == {"fetch": "unchanged", "train_s1": "unchanged", "register": "ran"}


def test_a_second_retraining_is_cancelled_with_a_sentence(story):
    assert story.second.is_cancelled()
    assert "another execution is at work in" in story.second.message and "Wait until it ends" in story.second.message


def test_a_persons_repro_runs_beside_it_and_neither_tears_an_out_of_the_other(story):
    assert "Running stage 'register'" in story.beside
    for place in (story.root, worktree(story.root)):
        assert (place / "build/registered.txt").read_text() == DONE
        assert "up to date" in run_dvc(["status"], place, quiet)[-1]


def test_no_lock_is_left(story):
    run_dvc(["repro"], worktree(story.root), quiet)
    assert (worktree(story.root) / ".dvc/tmp/rwlock").read_text().strip() in ("", "{}")
    assert not list((story.root / ".git").rglob("*.lock"))
