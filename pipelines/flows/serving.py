"""Keeping a schedule in one process: the flow, and Prefect's own server where none is configured."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipelines.dvc import LAST_LINES, background
from pipelines.flows.database import check_database
from pipelines.flows.tasks import ROOT, end_cleanly

EVERY_NIGHT = "0 2 * * *"
PORT = 4200  # Prefect's usual one
START_SECONDS = 180.0


class ServerError(RuntimeError):
    """Prefect's server can't be started."""


def serve(flow: Flow[..., Any], parameters: Mapping[str, Any], cron: str = EVERY_NIGHT) -> None:
    """Run a flow on a schedule, of UTC, for as long as this process lives."""
    end_cleanly()
    os.chdir(ROOT)  # where the runs it starts look for their code
    with prefect_server():
        flow.serve(name=flow.name, cron=cron, parameters=dict(parameters))


@contextmanager
def prefect_server() -> Iterator[str]:
    """The address of the configured Prefect API, or of a server on this machine alone that ends with the block.

    Only a server keeps a schedule: the one that a flow starts for itself doesn't.
    """
    if configured := PREFECT_API_URL.value():
        yield configured
        return
    check_database()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with background(command, ROOT, os.environ) as process:
        said: deque[str] = deque(maxlen=LAST_LINES)
        Thread(target=said.extend, args=(process.stdout,), daemon=True).start()  # a full pipe would stop it
        _await(f"{address}/api/health", process, said)
        print(f"No Prefect server is configured (PREFECT_API_URL): one runs at {address} as long as this", flush=True)
        with temporary_settings({PREFECT_API_URL: f"{address}/api"}):
            yield f"{address}/api"


def _await(page: str, process: "subprocess.Popen[str]", said: Iterable[str]) -> None:
    """Returns as soon as the server answers.

    Raises:
        ServerError: it ended, or doesn't answer in time; with its last lines.
    """
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(page, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise ServerError(f"Prefect's server doesn't answer at {page}; its last lines:\n{''.join(said)}")


def _free_port() -> int:
    """Prefect's usual port, or another if that is taken."""
    for port in (PORT, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise ServerError("127.0.0.1: no port is free for Prefect's server; set PREFECT_API_URL to one that runs")
