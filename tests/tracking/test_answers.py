"""A server that is there and doesn't serve: it answers each request with an error, or nothing at all."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sftdec.tracking import TrackingSettings, read_settings, track_stage
from sftdec.tracking.spool import pending_spools
from tests.tracking.recorded import stage_runs, steps

NOTHING = 0
LONGEST = 20.0  # s that a stage may take, of which it waits 6 at most


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The address of a server that answers every request so."""
    closing = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            if status == NOTHING:
                closing.wait()
                return
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            closing.set()
            server.shutdown()


@pytest.mark.parametrize("status", [500, 413, 429, NOTHING])
def test_a_stage_ends_all_the_same_and_the_next_one_brings_all_of_it(
    root: Path, settings: TrackingSettings, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status) as address:
        away = read_settings(root, {"MLFLOW_TRACKING_URI": address})
        began = time.monotonic()
        with track_stage("train_s1", root, settings=away) as tracker:
            tracker.metrics({"loss": 3.0}, 0)
            tracker.metrics({"loss": 2.0}, 1)
        assert time.monotonic() - began < LONGEST
    assert address in caplog.text and "waits in" in caplog.text
    assert status == NOTHING or str(status) in caplog.text
    assert len(pending_spools(root)) == 1
    with track_stage("train_s2", root, settings=settings):
        pass
    run = next(run for run in stage_runs(settings) if run.info.run_name == "train_s1")
    assert run.info.status == "FINISHED" and steps(settings, run, "loss") == [(0, 3.0), (1, 2.0)]
