"""A real HTTP server on loopback that breaks off, lies and changes its mind."""

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

BODY = np.random.default_rng(0).bytes(700_000)
OTHER = np.random.default_rng(1).bytes(700_000)
FAST = (0.0, 0.0, 0.0)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives ``body``; ``cuts``: bytes of the body after which each request's connection breaks, None for none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.cuts, self.statuses = BODY, list[int | None](), list[int]()
        self.more_headers: dict[str, str] = {}
        self.ranges = True
        self.status, self.wrong_range = 200, False
        self.asked: list[dict[str, str]] = []
        self.after_cut: Callable[[], object] = lambda: None

    def url(self, name: str = "set.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}/files/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, body = self.server, self.server.body
        server.asked.append(dict(self.headers))
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        start, status = 0, server.status
        wanted = self.headers.get("Range")
        if wanted and server.ranges:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(status)
        headers = {"Content-Length": str(len(body) - start)} | server.more_headers
        if status == 206:
            first = start // 2 if server.wrong_range else start
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(body[start : None if cut is None else start + cut])
        if cut is not None:
            self.wfile.flush()
            server.after_cut()
            self.close_connection = True


def files(folder: Path) -> list[str]:
    """Names of what lies below a folder, but for locks and folders."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def first_byte(request: dict[str, str]) -> int:
    return int(request.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
