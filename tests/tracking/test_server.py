"""A real server that is killed and comes back."""

import http.server
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from mlflow import MlflowClient

from sftdec.tracking import read_settings, send_pending, track_stage
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import open_client
from sftdec.tracking.spool import pending_spools
from tests.tracking.recorded import free_port, only, stage_runs, steps


@pytest.fixture
def server(tmp_path: Path) -> Iterator["Server"]:
    started = Server(tmp_path)
    yield started
    started.stop()


class Server:
    """A real `mlflow server` on loopback, which can be killed and brought back on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=self.folder
        )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                MlflowClient(f"http://127.0.0.1:{self.port}").search_experiments()
                return
            except Exception:
                time.sleep(0.5)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


class Proxy(http.server.BaseHTTPRequestHandler):
    """What nginx before a server does: it lets no more than ``limit`` bytes through."""

    target, limit = "", 2**20

    def handle_one(self) -> None:
        body = self.rfile.read(length := int(self.headers.get("Content-Length") or 0))
        if length > self.limit:
            self.send_response(413)
            self.end_headers()
            return
        headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
        answer = requests.request(self.command, self.target + self.path, data=body, headers=headers, timeout=30)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.slow
@pytest.mark.services
def test_an_artifact_above_a_proxys_limit_stops_nothing_and_is_sent_once_the_limit_is_raised(
    root: Path, server: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr(Proxy, "target", f"http://127.0.0.1:{server.port}")
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{proxy.server_port}"})
    (root / "large.bin").write_bytes(b"x" * 2_000_000)
    with track_stage("evaluate", root, settings=settings) as tracker:
        tracker.artifact(root / "large.bin", "reports")
        tracker.artifact(root / "params.yaml", "reports")
        tracker.metrics({"loss": 1.0}, 0)
    client, run = open_client(settings), only(stage_runs(settings))
    assert run.info.status == "FINISHED" and steps(settings, run, "loss") == [(0, 1.0)]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/params.yaml"]
    assert "413" in run.data.tags["refused.reports/large.bin"] and "reports/large.bin" in capfd.readouterr().err
    monkeypatch.setattr(Proxy, "limit", 10**8)
    assert Sender(settings, root).send_refused() == []
    assert len(client.list_artifacts(run.info.run_id, "reports")) == 2
    proxy.shutdown()


@pytest.mark.slow
@pytest.mark.services
def test_a_server_that_is_killed_and_comes_back_gets_every_metric_in_order(
    root: Path, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.port}"})
    server.start()
    with track_stage("train_s1", root, settings=settings) as tracker:
        for step in range(60):
            if step == 20:
                assert tracker.run_id() is not None
                server.stop()
            if step == 40:
                server.start()
            tracker.metrics({"loss": float(step)}, step)
            time.sleep(0.05)
        tracker.picture("validation/last", np.zeros((4, 4, 3), np.uint8))
    if pending_spools(root):  # the stage closed before the server was asked again
        assert send_pending(root, settings) == 1
    run = only(stage_runs(settings))
    assert run.info.status == "FINISHED"
    assert steps(settings, run, "loss") == [(step, float(step)) for step in range(60)]
    (picture, _) = open_client(settings).list_artifacts(run.info.run_id, "images")
    assert picture.path.startswith("images/validation~last")
