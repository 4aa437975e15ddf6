"""An address with a password, wherever it is told of."""

import traceback
from pathlib import Path

import pytest

from pipelines.flows.artifacts import where_the_run_is
from sftdec.registry import RegistryError, choose_model, history
from sftdec.tracking import TrackingError, open_pipeline_run, read_settings, send_pending, track_stage
from sftdec.tracking.answers import StoreAway
from sftdec.tracking.sender import Sender
from tests.tracking.recorded import free_port

SECRET = "PASSWORD"


@pytest.fixture
def address(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of a server that isn't there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://anna:{SECRET}@127.0.0.1:{free_port()}")
    monkeypatch.chdir(root)
    return read_settings(root).shown


def test_no_error_and_no_log_shows_it(
    root: Path, address: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings(root)
    with pytest.raises(RuntimeError), track_stage("fetch", root) as tracker:
        tracker.tags({"from": settings.uri})
        raise RuntimeError(f"{settings.uri} is no data set")
    assert send_pending(root) == 0
    errors = []
    for failing in (
        lambda: open_pipeline_run(root),
        lambda: history(root),
        lambda: choose_model("models:/sft-dec/1"),
        Sender(settings, root).store.experiment,
    ):
        with pytest.raises((TrackingError, RegistryError, StoreAway)) as caught:
            failing()
        errors.append("".join(traceback.format_exception(caught.value)))
    spooled = [file.read_text() for file in (root / ".tracking").rglob("events.jsonl")]
    told = [caplog.text, *capfd.readouterr(), *errors, *spooled, repr(settings)]
    assert spooled and address in caplog.text and all(address in error for error in errors)
    assert not any(SECRET in each for each in told)


def test_an_error_of_mlflows_own_shows_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://anna:{SECRET}@127.0.0.1:{free_port()}/mlflow")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)  # it waits for 100 s otherwise
    with pytest.raises(TrackingError) as caught:
        open_pipeline_run(root)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_page_of_a_run_is_linked_without_it(root: Path, address: str) -> None:
    assert read_settings(root).page == f"http://{address.partition('@')[2]}"
    assert where_the_run_is(read_settings(root), None) == []
    (link,) = where_the_run_is(read_settings(root), "a1")  # nobody answers there: a night doesn't fail of that
    assert f"(http://{address.partition('@')[2]}/#/runs/a1)" in link
