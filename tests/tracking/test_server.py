"""A real server that is killed and comes back, and nginx before it."""

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
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


NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {target}; {more} }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, target: str, port: int, more: str = "") -> Iterator[None]:
    """Nginx before a server, as it comes: it lets 1 MB through, if nobody tells it ``more``."""
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(user=user, folder=folder, port=port, target=target, more=more))
    process = subprocess.Popen(["nginx", "-c", str(file), "-e", str(folder / "nginx.log")])
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is missing: apt-get install nginx-light")
def test_an_artifact_above_nginxs_limit_stops_nothing_and_is_sent_once_the_limit_is_raised(
    root: Path, server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.start()
    target, port = f"http://127.0.0.1:{server.port}", free_port()
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"})
    (root / "large.bin").write_bytes(b"x" * 2_000_000)
    with nginx(tmp_path, target, port):
        with track_stage("evaluate", root, settings=settings) as tracker:
            tracker.artifact(root / "large.bin", "reports")
            tracker.artifact(root / "params.yaml", "reports")
            tracker.metrics({"loss": 1.0}, 0)
        client, run = open_client(settings), only(stage_runs(settings))
        assert run.info.status == "FINISHED" and steps(settings, run, "loss") == [(0, 1.0)]
        assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/params.yaml"]
        assert "413" in run.data.tags["refused.reports/large.bin"] and "reports/large.bin" in capfd.readouterr().err
    with nginx(tmp_path, target, port, "client_max_body_size 0;"):
        assert Sender(settings, root).send_refused() == []
        assert len(client.list_artifacts(run.info.run_id, "reports")) == 2


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
