"""What a store refuses is set aside and named; everything else goes on, and it can be sent again."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sftdec.tracking import TrackingSettings, read_settings, track_stage
from sftdec.tracking.__main__ import main
from sftdec.tracking.answers import Refused, StoreAway, ask
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import experiment_id, open_client
from tests.tracking.recorded import only, refused, stage_runs, steps


def blocked(root: Path, settings: TrackingSettings) -> Path:
    """A stage whose first artifact can't be written, as a file lies where its folder should; that file."""
    with track_stage("evaluate", root, settings=settings) as tracker:
        run = tracker.run_id()
        obstacle = root / "mlruns" / "sft-dec" / str(run) / "artifacts" / "reports"
        obstacle.parent.mkdir(parents=True, exist_ok=True)
        obstacle.write_text("in the way")
        (root / "page.html").write_text("<p>fine</p>")
        tracker.artifact(root / "page.html", "reports")
        tracker.artifact(root / "page.html")
        tracker.metrics({"loss": 1.0}, 3)
    return obstacle


def test_an_artifact_that_is_refused_stops_nothing_and_is_sent_again(
    root: Path, settings: TrackingSettings, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    obstacle = blocked(root, settings)
    run, client = only(stage_runs(settings)), open_client(settings)
    assert run.info.status == "FINISHED" and steps(settings, run, "loss") == [(3, 1.0)]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"page.html", "reports"}
    assert "reports/page.html" in run.data.tags.keys().__str__() and len(refused(root)) == 1
    assert "refused reports/page.html of evaluate" in capfd.readouterr().err
    monkeypatch.chdir(root)
    assert main() == 1 and "still refused: reports/page.html" in capfd.readouterr().err
    obstacle.unlink()
    assert main() == 0
    assert (obstacle / "page.html").read_text() == "<p>fine</p>" and refused(root) == []
    assert not any(tag.startswith("refused") for tag in only(stage_runs(settings)).data.tags)


def test_what_was_refused_for_the_moment_is_brought_by_the_next_stage(root: Path, settings: TrackingSettings) -> None:
    obstacle = blocked(root, settings)
    obstacle.unlink()
    with track_stage("report", root, settings=settings):
        pass
    assert (obstacle / "page.html").is_file() and refused(root) == []


@pytest.fixture
def answering() -> Iterator[str]:
    """A server that answers every request with the status that its path names."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_response(int(self.path.rpartition("/")[2]))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://anna:PASSWORD@127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    ("status", "raised"), [(413, Refused), (400, Refused), (401, StoreAway), (429, StoreAway), (500, StoreAway)]
)
def test_a_status_says_whether_waiting_helps(
    root: Path, answering: str, status: int, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def put() -> None:
        requests.put(f"{answering}/{status}", data=b"x", timeout=5).raise_for_status()

    with pytest.raises(raised, match=str(status)) as caught:
        ask(read_settings(root, {"MLFLOW_TRACKING_URI": answering}), put)
    assert "PASSWORD" not in str(caught.value)


def test_an_answer_of_a_proxy_is_read_from_mlflows_sentence(settings: TrackingSettings) -> None:
    def call() -> None:
        raise ValueError("API request to endpoint /log-batch failed with error code 413 != 200. Response body: ''")

    with pytest.raises(Refused):
        ask(settings, call)


def test_a_record_that_a_kill_left_half_kept_is_let_go(root: Path, settings: TrackingSettings) -> None:
    folder = root / ".tracking" / "refused" / "evaluate-1~200"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"kind": "open", "time": 1, "refused": "413", "later": false}\n')
    experiment_id(open_client(settings), settings)
    assert Sender(settings, root).send_refused() == [] and not folder.exists()
