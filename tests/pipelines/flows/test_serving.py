"""`pipelines.flows.retrain --serve` on a machine without a Prefect server, and prefect.yaml on that server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.services]
ROOT = Path(__file__).parents[3]


def ask(address: str, what: str):
    request = urllib.request.Request(f"{address}/api/{what}/filter", b"{}", {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    return kept | {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "PYTHONPATH": path}


@pytest.fixture(scope="module")
def served(environment):
    """The process that serves, and the address of the server that it has started."""
    command = [sys.executable, "-m", "pipelines.flows.retrain", "--serve", "--revision", "main"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, re.search(r"one runs at (\S+)", process.stdout.readline())[1]
        finally:
            process.kill()


def test_it_keeps_the_schedule_with_a_server_of_its_own(served):
    address = served[1]
    deadline = time.monotonic() + 120
    while not (runs := ask(address, "flow_runs")) and time.monotonic() < deadline:
        time.sleep(0.5)
    (deployment,) = ask(address, "deployments")
    assert {run["state_name"] for run in runs} == {"Scheduled"} and "T02:00:00" in runs[0]["expected_start_time"]
    assert deployment["parameters"]["revision"] == "main"
    assert deployment["name"] == "retrain" and deployment["global_concurrency_limit"] is None


def test_every_deployment_is_taken_holds_no_machines_path_and_what_is_declared_no_more_goes(served, environment):
    told = {**environment, "PREFECT_API_URL": f"{served[1]}/api"}
    nightly = ["-n", "nightly", "-p", "sftdec"]  # of before
    for command in (
        ["prefect", "work-pool", "create", "sftdec", "--type", "process"],
        ["prefect", "--no-prompt", "deploy", "pipelines/flows/retrain.py:retrain", *nightly],
        ["pipelines.flows.deploy"],
    ):
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=told, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "retrain/nightly: deleted, prefect.yaml declares it no more" in done.stdout
    mine = [each for each in ask(served[1], "deployments") if each["work_pool_name"] == "sftdec"]
    crons = {each["name"]: [schedule["schedule"]["cron"] for schedule in each["schedules"]] for each in mine}
    assert crons == {"retrain": ["0 2 * * *"], "reevaluate": ["0 5 * * 0"], "experiment": [], "drift": []}
    assert {schedule["schedule"]["timezone"] for each in mine for schedule in each["schedules"]} == {"UTC"}
    assert not any(str(ROOT) in json.dumps(each) for each in mine)


def test_the_server_ends_with_it(served):
    process, address = served
    process.send_signal(signal.SIGTERM)
    process.wait()
    with pytest.raises(urllib.error.URLError):
        ask(address, "deployments")
