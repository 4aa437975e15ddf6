"""Running the page on loopback until it is stopped."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import webbrowser
from pathlib import Path

import psutil
import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
PREFIX = "sftdec-demo-"


def open_socket(port: int) -> socket.socket:
    """A socket that listens on loopback alone; port 0 takes any free one. Raises ``OSError`` naming a taken port."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
    except OSError as error:
        opened.close()
        raise OSError(
            error.errno, f"port {port} of {HOST} can't be had ({error.strerror}); give another: --port"
        ) from error
    opened.listen()
    return opened


def serve(app: ASGIApp, opened: socket.socket, browse: bool) -> None:
    """Answer on ``opened`` until Ctrl-C, SIGTERM or the terminal's end; ``browse`` opens the user's browser."""
    address = f"http://{HOST}:{opened.getsockname()[1]}"
    print(f"{address} shows the page; Ctrl-C ends it", flush=True)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    if browse:  # the socket listens already: the browser waits until it is answered
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[opened])


def temporary_folder() -> Path:
    """A new folder for visitors' photos, named after this process; those of processes that were killed go."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
