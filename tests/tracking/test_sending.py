"""What is sent twice, refused, or sent while the store is replaced."""

import shutil
import threading
from pathlib import Path

import pytest

from sftdec.tracking import TrackingSettings, read_settings, send_pending, track_stage
from sftdec.tracking.delivery import Delivery
from sftdec.tracking.sender import Sender, StoreAway
from sftdec.tracking.settings import experiment_id, open_client
from sftdec.tracking.spool import Spool, pending_spools
from tests.tracking.recorded import only, refused, run_python, stage_runs, steps


def spooled(root: Path, settings: TrackingSettings) -> Spool:
    """A spool with two metrics and an artifact, sent to its end but not deleted."""
    spool = Spool.acquire(root / ".tracking" / "train_s1-1234", create=True)
    assert spool is not None
    tags = {"sftdec.lineage": "f" * 64, "sftdec.kind": "stage"}
    header = {"kind": "open", "time": 1000, "stage": "train_s1", "tags": tags}
    spool.append(header | {"pipeline_run": None, "pipeline_params": {}})
    file = spool.new_file("a.txt")
    file.write_text("artifact")
    place = file.relative_to(spool.folder).as_posix()
    for step in (0, 1):
        spool.append({"kind": "metrics", "time": 1000 + step, "step": step, "values": {"loss": step + 0.5}})
    spool.append({"kind": "artifact", "time": 1002, "file": place, "folder": ""})
    Sender(settings, root).send(spool)
    assert spool.sent == (spool.folder / "events.jsonl").stat().st_size
    return spool


@pytest.mark.parametrize("forgotten", [["sent"], ["sent", "run"]])
def test_sending_again_what_was_sent_makes_no_duplicates(
    root: Path, settings: TrackingSettings, forgotten: list[str]
) -> None:
    spool = spooled(root, settings)
    for name in forgotten:  # the process died between the store's answer and the note of it
        (spool.folder / name).unlink()
    Sender(settings, root).send(spool)
    run = only(stage_runs(settings))
    assert steps(settings, run, "loss") == [(0, 0.5), (1, 1.5)]


def test_what_is_recorded_for_a_run_that_somebody_deleted_waits_for_its_restoring(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    spool, client = spooled(root, settings), open_client(settings)
    deleted = only(stage_runs(settings)).info.run_id
    client.delete_run(deleted)
    spool.append({"kind": "metrics", "time": 1002, "step": 2, "values": {"loss": 2.5}})
    with pytest.raises(StoreAway, match=f"run {deleted} .*was deleted .*mlflow runs restore --run-id {deleted}"):
        Sender(settings, root).send(spool)
    spool.append({"kind": "close", "time": 1003, "status": "FINISHED"})
    spool.release()
    with track_stage("evaluate", root, settings=settings):
        pass
    assert only(stage_runs(settings)).info.run_name == "evaluate"  # it isn't held up, and nothing is made up
    assert pending_spools(root) == [spool.folder] and not refused(root)
    assert send_pending(root, settings) == 0 and "was deleted" in caplog.text
    client.restore_run(deleted)
    assert send_pending(root, settings) == 1 and pending_spools(root) == []
    run = client.get_run(deleted)
    assert steps(settings, run, "loss")[-1] == (2, 2.5) and run.info.status == "FINISHED"


def test_a_store_that_was_replaced_in_the_middle_gets_the_whole_run(
    root: Path, settings: TrackingSettings, empty_database: Path
) -> None:
    spool = spooled(root, settings)
    other = root / "other"
    other.mkdir()
    shutil.copy(empty_database, other / "mlflow.db")
    replaced = read_settings(other, {})
    spool.append({"kind": "metrics", "time": 1002, "step": 2, "values": {"loss": 2.5}})
    sender = Sender(replaced, root)
    with pytest.raises(StoreAway, match="lost the run"):
        sender.send(spool)
    sender.send(spool)
    assert steps(replaced, only(stage_runs(replaced)), "loss") == [(0, 0.5), (1, 1.5), (2, 2.5)]


def test_a_record_that_the_store_refuses_is_set_aside_and_the_others_arrive(
    root: Path, settings: TrackingSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    for rate in ("1", "2"):
        with (
            pytest.raises(RuntimeError),
            track_stage("train_s1", root, settings=settings) as t,
        ):
            t.params({"rate": rate})
            t.metrics({"loss": float(rate)}, int(rate))
            raise RuntimeError("stop")
    run = only(stage_runs(settings))
    assert run.data.params == {"rate": "1"}
    assert steps(settings, run, "loss") == [(1, 1.0), (2, 2.0)]
    assert "refused" in capfd.readouterr().err
    (kept,) = refused(root)
    assert kept["values"] == {"rate": "2"} and "refused.params rate" in run.data.tags


def test_runs_wait_while_the_experiment_is_deleted(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(settings)
    identifier = experiment_id(client, settings)
    client.delete_experiment(identifier)
    with track_stage("fetch", root, settings=settings, deadline=600.0):  # nothing is waited for that doesn't mend
        pass
    assert f"mlflow experiments restore --experiment-id {identifier}" in caplog.text
    assert len(pending_spools(root)) == 1
    client.restore_experiment(identifier)
    assert send_pending(root, settings) == 1
    assert only(stage_runs(settings)).info.status == "FINISHED"


@pytest.mark.own_process
def test_a_closing_stage_gives_a_database_that_can_not_serve_just_now_its_time(
    root: Path, settings: TrackingSettings
) -> None:
    client = open_client(settings)
    identifier = experiment_id(client, settings)
    client.delete_experiment(identifier)
    threading.Timer(1.0, client.restore_experiment, [identifier]).start()
    with track_stage("fetch", root, settings=settings):
        pass
    assert only(stage_runs(settings)).info.status == "FINISHED"
    assert pending_spools(root) == []


def test_a_bug_in_the_sending_is_the_reason_why_a_run_waits_and_ends_nothing(
    root: Path, settings: TrackingSettings
) -> None:
    class Broken(Sender):
        def send(self, spool: Spool) -> None:
            raise ZeroDivisionError("a bug")

    spool = spooled(root, settings)
    delivery = Delivery(spool, Broken(settings, root), {})
    delivery.start()
    assert "a bug" in (delivery.finish(0.5) or "")


def test_tracking_is_silent(root: Path) -> None:
    (root / "mlflow.db").unlink()  # so that the migrations run, too
    done = run_python(
        """
        import logging, sys
        logging.basicConfig(level=logging.INFO)
        from pathlib import Path
        from sftdec.tracking import track_stage
        with track_stage("fetch", Path(sys.argv[1])) as tracker:
            tracker.metrics({"loss": 1.0}, 0)
        """,
        str(root),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
