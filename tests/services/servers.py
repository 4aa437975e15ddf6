"""The real servers on loopback, each ended by the process that started it: PostgreSQL, S3, MLflow, Prefect."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.tracking.recorded import free_port

BUCKET = "sftdec"
POSTGRES_FOLDERS = ("/usr/lib/postgresql",)  # Debian's, where initdb isn't on the path
START_SECONDS = 240  # on a busy machine; a server that is up answers at once
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def postgres_program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs, the newest version's; None where there is none."""
    found = [path for folder in POSTGRES_FOLDERS for path in Path(folder).glob(f"*/bin/{name}")]
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return str(newest) if newest else shutil.which(name)


def wait_until(happened: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.3)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


class Postgres:
    """A PostgreSQL of its own, run by the user postgres where this is root (it refuses to be root's)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sftdec-postgres-"))
        self.port = free_port()
        self.url = f"postgresql://sftdec@127.0.0.1:{self.port}"
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.folder, "postgres")
        self._call("initdb", "--auth=trust", "--username=sftdec", "--no-sync")
        self.start()
        for database in ("mlflow",):
            command = [str(postgres_program("createdb")), "-h", "127.0.0.1", "-p", str(self.port), "-U", "sftdec"]
            subprocess.run([*command, database], check=True, capture_output=True)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._call("pg_ctl", "--wait", "-t", "120", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "--wait", "-t", "120", "--mode=immediate", "stop")

    def close(self) -> None:
        if (self.folder / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(postgres_program(program)), "-D", str(self.folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)
        log = self.folder / "log"
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")


class Bucket:
    """moto's S3 server with one bucket, which can be told to refuse (500), or to take its time over an object.

    ``refusing`` is asked the path of each request; ``delay`` is in seconds; ``requests`` are those it has seen.
    """

    def __init__(self) -> None:
        import boto3
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.refusing: Callable[[str, str], bool] = lambda method, path: False
        self.delay = 0.0
        self.requests: list[tuple[str, str]] = []
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line a request
        self._real = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        self.client: Any = boto3.client("s3", endpoint_url=self.url, **keys)
        self.client.create_bucket(Bucket=BUCKET)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        if self.delay and path.count("/") > 1:
            time.sleep(self.delay)
        if self.refusing(method, path):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"no"]
        return self._real(environ, start_response)

    def names(self, prefix: str = "") -> list[str]:
        """The objects' keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def be_well(self) -> None:
        self.refusing, self.delay = lambda method, path: False, 0.0
        self.requests.clear()

    def close(self) -> None:
        self._server.shutdown()


@contextmanager
def running(command: list[str], folder: Path, environment: Mapping[str, str], log: str) -> Iterator["Process"]:
    process = Process(command, folder, environment, log)
    process.start()
    try:
        yield process
    finally:
        process.stop()


class Process:
    """A server in a session of its own that can be killed and started again; its output goes to a file."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], log: str) -> None:
        self.command, self.folder, self.environment = command, folder, dict(environment)
        self.log = folder / log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def stopped(self) -> bool:
        return self._process is None

    def wait_for(self, url: str) -> None:
        def up() -> bool:
            assert self._process is not None and self._process.poll() is None, self.log.read_text()[-5000:]
            return answers(url)

        wait_until(up, f"{url}: {self.command[:4]}")

    def stop(self) -> None:
        """As `kill -9`, with all that it has started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def base_environment(**more: str) -> dict[str, str]:
    """This process's environment without what points a run elsewhere."""
    dropped = ("MLFLOW_TRACKING_URI", "SFTDEC_PIPELINE_RUN", "SFTDEC_TRACKING", "PREFECT_API_URL", "PREFECT_HOME")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    return {**kept, **KEYS, **quiet, "PATH": path, **more}


def mlflow_server(folder: Path, postgres: Postgres, bucket: Bucket) -> tuple[Process, str]:
    """An MLflow server that isn't started yet, on PostgreSQL and the bucket, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"{postgres.url}/mlflow", "--artifacts-destination", f"s3://{BUCKET}/mlflow"]
    more = {"MLFLOW_S3_ENDPOINT_URL": bucket.url, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = Process(command, folder, base_environment(**more), "mlflow.log")
    return process, f"http://127.0.0.1:{port}"


def prefect_server(folder: Path) -> tuple[Process, str]:
    """A Prefect server that isn't started yet, with a home of its own, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    more = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api"}
    return Process(command, folder, base_environment(**more), "prefect.log"), f"http://127.0.0.1:{port}"
