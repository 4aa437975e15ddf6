"""A power cut: server, worker and run end together, and the next night runs; somebody hears of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipelines.flows import alarms
from tests.pipelines.conftest import REGISTER, make_project
from tests.pipelines.flows import commit, git
from tests.pipelines.receiver import receiving
from tests.services.executions import PrefectApi, call, prefect
from tests.services.servers import Process, base_environment, prefect_server, wait_until

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
STAGE = """
import os, pathlib, time
while pathlib.Path(os.environ["HOLD"]).exists():
    pathlib.Path(os.environ["HOLD"]).write_text("reached")
    time.sleep(0.2)
pathlib.Path("model.txt").write_text("weights")
"""
PIPELINE = """
stages:
  train_s1: {cmd: python code/held.py, deps: [code/held.py], outs: [model.txt]}
  register: {cmd: python code/register.py, deps: [model.txt], outs: [reports/figures/evaluation]}
"""
SAVE = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock
told = {"subject": "{{subject}}", "body": "{{body}}"}
CustomWebhookNotificationBlock(name="ops", url=sys.argv[1], json_data=told).save("ops")
"""


def kill(process: Process) -> None:
    """With all that it has started, in whatever session."""
    below = psutil.Process(process.pid).children(recursive=True)
    process.stop()
    for each in below:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    with receiving() as told:
        yield told


def test_after_a_power_cut_the_next_night_runs_and_somebody_has_heard(
    tmp_path: Path, receiver: tuple[str, list[dict[str, str]]]
) -> None:
    address, received = receiver
    project, hold = make_project(tmp_path / "project", PIPELINE), tmp_path / "hold"
    (project / "code/held.py").write_text(STAGE)
    (project / "code/register.py").write_text(REGISTER.replace('"promoted": True', '"promoted": False'))
    commit(project)
    hold.touch()
    server, page = prefect_server(tmp_path)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = base_environment(
        PREFECT_API_URL=f"{page}/api",
        PREFECT_HOME=str(tmp_path / "prefect"),
        PREFECT_WORKER_QUERY_SECONDS="2",
        SFTDEC_TRACKING="off",
        HOLD=str(hold),
        PYTHONPATH=path,
    )
    deploying = tmp_path / "deploying"  # a folder that is gone when the worker starts
    deploying.mkdir()
    shutil.copy(ROOT / "prefect.yaml", deploying)
    worker = Process(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "sftdec"], tmp_path, environment, "worker.log"
    )
    api = PrefectApi(f"{page}/api")
    server.start()
    try:
        server.wait_for(f"{page}/api/health")
        prefect(ROOT, environment, "work-pool", "create", "sftdec", "--type", "process")
        asked = ["--name", "retrain", "--cron", "* * * * *", "--param", f"root={project}"]
        prefect(deploying, environment, "--no-prompt", "deploy", *asked)
        shutil.rmtree(deploying)
        subprocess.run([sys.executable, "-c", SAVE, address], cwd=tmp_path, env=environment, check=True)
        call(ROOT, environment, "pipelines.flows.alarms", "custom-webhook/ops")
        worker.start()
        wait_until(lambda: hold.read_text() == "reached", "a night has begun")
        (first,) = api.at_work("retrain")
        for process in (server, worker):
            kill(process)
        hold.unlink()

        server.start()
        server.wait_for(f"{page}/api/health")
        worker.start()
        ended = lambda: [run for run in api.flow_runs("retrain") if run.state_name == "Completed"]  # noqa: E731
        wait_until(lambda: bool(ended()), "the next night has run")
        states = {run.id: run.state for run in api.flow_runs("retrain")}
        assert states[first.id].is_crashed() and ended()[0].auto_scheduled
        assert ended()[0].name == f"HEAD {git(project, 'rev-parse', 'HEAD')[:10]}"
        said = lambda: "\n".join(each["body"] for each in received)  # noqa: E731
        wait_until(lambda: "Version 3 isn't promoted" in said(), "the gate was heard")
        assert received[0]["body"].startswith("This is where you hear of retrainings")
        # The server sends of a crash whose beginning it has forgotten after a quarter of an hour, of this one at once:
        prefect(ROOT, environment, "deployment", "run", "retrain/retrain", "-p", "revision=nowhere")
        wait_until(
            lambda: "retrain (nowhere) Failed: " in said() and "found no commit 'nowhere'" in said(), "a failure"
        )
    finally:
        kill(worker) if not worker.stopped else None
        server.stop()


def test_a_run_that_dies_in_silence_is_told_of_while_the_server_goes_on(
    tmp_path: Path, receiver: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, received = receiver
    project, hold = make_project(tmp_path / "project", PIPELINE), tmp_path / "hold"
    (project / "code/held.py").write_text(STAGE)
    commit(project)
    hold.touch()
    name = "sft-dec: a run is silent"
    trigger, body = alarms.ALARMS[name]
    soon = trigger.model_copy(update={"within": timedelta(seconds=40)})
    monkeypatch.setattr(alarms, "ALARMS", {name: (soon, body)})
    server, page = prefect_server(tmp_path)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    more = {"SFTDEC_TRACKING": "off", "HOLD": str(hold), "PYTHONPATH": path, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    environment = base_environment(PREFECT_API_URL=f"{page}/api", PREFECT_HOME=str(tmp_path / "prefect"), **more)
    code = (
        f"from pathlib import Path; from pipelines.flows.retrain import retrain; retrain(root=Path({str(project)!r}))"
    )
    night = Process([sys.executable, "-c", code], tmp_path, environment, "night.log")
    server.start()
    try:
        server.wait_for(f"{page}/api/health")
        with temporary_settings({PREFECT_API_URL: f"{page}/api"}):
            told = {"subject": "{{subject}}", "body": "{{body}}"}
            CustomWebhookNotificationBlock(name="ops", url=address, json_data=told).save("ops")
            alarms.set_up("custom-webhook/ops")
        night.start()
        wait_until(lambda: hold.read_text() == "reached", "the night has begun")
        assert len(received) == 1
        kill(night)
        wait_until(lambda: len(received) > 1, "the silence was heard")
        assert "gave no sign of life for 0:10:00" in received[1]["body"]
    finally:
        kill(night) if not night.stopped else None
        server.stop()
