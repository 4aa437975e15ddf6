"""`python pipelines/retrain.py --serve` on a machine without a Prefect server."""

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

ROOT = Path(__file__).parents[2]


def ask(address: str, what: str):
    request = urllib.request.Request(f"{address}/api/{what}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.services
def test_it_keeps_the_schedule_with_a_server_of_its_own_and_ends_it(tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(ROOT / "pipelines/retrain.py"), "--serve", "--revision", "main"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as served:
        try:
            address = re.search(r"one runs at (\S+)", served.stdout.readline())[1]
            deadline = time.monotonic() + 120
            while not (runs := ask(address, "flow_runs/filter")) and time.monotonic() < deadline:
                time.sleep(0.5)
            (deployment,) = ask(address, "deployments/filter")
        finally:
            served.send_signal(signal.SIGTERM)
    assert {run["state_name"] for run in runs} == {"Scheduled"} and "T02:00:00" in runs[0]["expected_start_time"]
    assert deployment["parameters"]["revision"] == "main"
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    with pytest.raises(urllib.error.URLError):
        ask(address, "flow_runs/filter")
