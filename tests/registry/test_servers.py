"""Real servers: the registry behind one, and the model in one."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from sftdec.registry import package, register, resolve_weights, set_champion
from sftdec.registry.served_model import encode_png
from sftdec.tracking import TrackingSettings, read_settings
from tests.tracking.recorded import free_port


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


@pytest.mark.services
@pytest.mark.slow
def test_a_version_behind_a_tracking_server_is_registered_and_fetched_over_http(
    root: Path, trained: list[Path], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "served_artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        remote = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"})
        version = register(trained[0], None, {}, root, settings=remote)
        set_champion(version, "first", {}, root, remote, allow_dirty=True)  # no run made its weights there
        fetched = resolve_weights("models:/sft-dec@champion", root, remote)
        assert fetched.is_relative_to(root / ".tracking" / "weights")
        assert fetched.read_bytes() == trained[0].read_bytes()
        assert resolve_weights("models:/sft-dec@champion", root, remote) == fetched
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.mark.services
@pytest.mark.slow
def test_a_served_version_answers_over_http_and_says_400_to_what_is_no_image(
    root: Path, settings: TrackingSettings, trained: list[Path], tmp_path: Path
) -> None:
    version = register(trained[0], None, {}, root, settings=settings)
    port, log = free_port(), tmp_path / "serve.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", version.uri, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": settings.uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server, log)
        picture = encode_png(package.example_picture())
        for form in ({"dataframe_records": [{"image": picture}]}, {"inputs": {"image": [picture]}}):
            (answer,) = ask(port, form)["predictions"]
            assert answer["sigma_max"] == 24.0
            assert package._decode_png(answer["deblurred"]).shape == (48, 64, 3)
            assert package._decode_png(answer["defocus"]).dtype == np.uint16
        for wrong, message in (
            ({"dataframe_records": [{"image": "aGVsbG8="}]}, "5 bytes that are no picture"),
            ({"dataframe_records": [{"photo": picture}]}, "image"),
            (
                {"dataframe_records": [{"image": picture}], "params": {"max_megapixels": 0.001}},
                "expected 0.001 at most",
            ),
        ):
            with pytest.raises(urllib.error.HTTPError) as caught:
                ask(port, wrong)
            assert caught.value.code == 400
            assert message in caught.value.read().decode()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(port: int, content: object) -> dict[str, list[dict[str, object]]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))
