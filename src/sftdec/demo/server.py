"""Running the page until it is stopped: on loopback, or for a network, to those who have its address."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

import psutil
import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
PREFIX = "sftdec-demo-"
PORTS = 65535  # the last


def open_socket(port: int, host: str = HOST) -> socket.socket:
    """A socket that listens on an address of this machine; port 0 takes any free one.

    Raises ``OSError`` naming a taken port, or an address that isn't this machine's, ``ValueError`` for no port at all.
    """
    if not 0 <= port <= PORTS:
        raise ValueError(f"port: found {port}, expected 0 to {PORTS}")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        mend = "give another: --port" if host == HOST else "give another --port, or an address of this machine: --host"
        raise OSError(error.errno, f"port {port} of {host} can't be had ({error.strerror}); {mend}") from error


def address_of(opened: socket.socket) -> str:
    """Where others find the page: for a socket on all addresses, the one that leads out of this machine."""
    host, port = opened.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
            asking.connect(("192.0.2.1", 9))  # sends nothing
            host = asking.getsockname()[0]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, opened: socket.socket, browse: bool, word: str = "") -> None:
    """Answer on ``opened`` until Ctrl-C, SIGTERM or the terminal's end; ``browse`` opens the user's browser.

    ``word`` is what the page asks of each visitor, in its address.
    """
    address = address_of(opened) + (f"/?word={word}" if word else "")
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
