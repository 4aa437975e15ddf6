"""Thirty visitors at once before a running server."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from sftdec.demo.app import Desk, make_app
from sftdec.demo.choices import BUILT_IN, Choices
from sftdec.demo.server import open_socket
from sftdec.demo.visits import WAITING_LIMIT, Visit

VISITORS = 30


class Server:
    """The page, whose work waits until it is let go; it has room for one photo of the largest size, 16.9 MB."""

    def __init__(self, folder: Path) -> None:
        self.go = threading.Event()
        choices = Choices(folder, BUILT_IN, lambda name: pytest.fail("no model is needed"))
        self.desk = Desk(choices, self.work, lambda visit: None, 0.01, [], room=0)
        self.socket = open_socket(0)
        self.port = self.socket.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(make_app(self.desk), log_level="error"))
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()

    def work(self, visit: Visit) -> None:
        self.go.wait(60)

    def stop(self) -> None:
        self.go.set()
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = Server(tmp_path)
    yield opened
    opened.stop()


def all_at_once(port: int, length: int) -> Counter[int]:
    """Thirty visitors begin to send, and send their second half only when all have begun; the answers' codes."""
    begun = threading.Barrier(VISITORS)
    codes: list[int] = []

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.putrequest("POST", "/photos")
        connection.putheader("X-File-Name", "photo.png")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        try:
            connection.send(bytes(1000))
            begun.wait(60)
            time.sleep(0.5)  # whoever is let in is in
            connection.send(bytes(length - 1000))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was there
        try:
            codes.append(connection.getresponse().status)
        except (http.client.HTTPException, OSError):
            codes.append(0)  # the answer went down with the connection
        connection.close()

    threads = [threading.Thread(target=visit) for _ in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(codes)


@pytest.mark.parametrize(
    ("length", "let_in"),
    [
        (2_000, (WAITING_LIMIT, WAITING_LIMIT + 1)),  # one may be in work before the last one comes
        (5_000_000, (3, 3)),  # as many as there is room for
    ],
)
def test_of_thirty_who_come_at_once_no_more_are_let_in_than_may_wait_or_have_room(
    server: Server, tmp_path: Path, length: int, let_in: tuple[int, int]
) -> None:
    codes = all_at_once(server.port, length)
    assert let_in[0] <= codes[201] <= let_in[1] and codes[503] > 0
    assert codes[201] + codes[503] + codes[0] == VISITORS
    here = [path for path in tmp_path.glob("sftdec-demo-*/*/given/*")]
    assert len(here) == codes[201]  # of the others nothing is left
    assert sum(path.stat().st_size for path in here) <= server.desk.largest
