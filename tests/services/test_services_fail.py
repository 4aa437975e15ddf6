"""What the services may do to a training, a registration and a push: go away, come back, refuse, be slow."""

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.registry import RegistryError, champion, history, register, resolve_weights, set_champion, versions
from sftdec.tracking import TrackingSettings, read_settings, send_pending, track_stage
from sftdec.tracking.spool import pending_spools
from sftdec.training.loop import LOG_EVERY
from sftdec.training.run import train_sft_dec
from sftdec.training.schedule import STAGES
from tests.services.servers import BUCKET, Bucket, Postgres, Process, base_environment
from tests.tracking.recorded import stage_runs, steps
from tests.training.small import make_build, params

pytestmark = pytest.mark.services
AWAY_SECONDS = 60.0
PACE = 3.0  # s a report, so that the training lasts longer than the server is away
REPORTS = 29


def test_a_server_that_is_away_for_a_minute_and_a_database_that_restarts_lose_no_metric(
    root: Path,
    mlflow_process: tuple[Process, str],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    server, address = mlflow_process
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": address})
    recorded: list[tuple[int, float]] = []
    went_away = 0.0
    with track_stage("train_s1", root, settings=settings) as tracker:
        assert tracker.run_id(120) is not None

        def report(step: int, metrics: dict[str, float]) -> None:
            nonlocal went_away
            if "loss" not in metrics:
                return
            tracker.metrics({"loss": metrics["loss"]}, step)
            recorded.append((step, metrics["loss"]))
            time.sleep(PACE)
            if len(recorded) == 4:
                server.stop()
                went_away = time.monotonic()
            if not went_away:
                return
            if server.stopped and time.monotonic() - went_away >= AWAY_SECONDS:
                server.start()
                server.wait_for(f"{address}/health")
            if len(recorded) == REPORTS - 5:
                postgres.stop()
            if len(recorded) == REPORTS - 2:
                postgres.start()

        short = params(steps=REPORTS * LOG_EVERY, validate_every=10_000, checkpoint_every=10_000)
        train_sft_dec(STAGES["s1"], short, make_build(root / "build"), root / "checkpoints", report)
    assert not server.stopped and len(recorded) == REPORTS
    if pending_spools(root):  # the stage closed before the server was asked again
        assert send_pending(root, settings) == 1
    (run,) = [run for run in stage_runs(settings) if run.data.tags["sftdec.lineage"] == lineage_tag(root)]
    assert run.info.status == "FINISHED"
    assert steps(settings, run, "loss") == recorded


def lineage_tag(root: Path) -> str:
    from sftdec.lineage.commits import lineage

    return lineage(root).tag


def weights(path: Path, seed: int) -> Path:
    save_weights(build_network(NetworkConfig.of_size("small"), seed), path)
    return path


def test_a_database_that_goes_in_the_middle_of_a_move_leaves_the_champion_of_before_or_after(
    root: Path, tracking: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setattr("sftdec.registry.turn.LEASE", 5.0)  # one that was cut off leaves its name
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": tracking})
    numbers = [
        register(weights(root / f"{seed}.safetensors", seed), None, {}, root, settings=settings) for seed in (21, 22)
    ]
    began = time.monotonic()
    set_champion(numbers[0], "first", {}, root, settings, allow_dirty=True)
    takes = time.monotonic() - began
    for number, share in enumerate((0.5, 0.8, 0.95), 1):
        wanted = numbers[number % 2]
        with ThreadPoolExecutor() as other:
            move = other.submit(set_champion, wanted, f"{share}", {}, root, settings, allow_dirty=True)
            time.sleep(share * takes)
            postgres.stop()
            failed = move.exception()
        postgres.start()
        assert failed is None or isinstance(failed, RegistryError | OSError), failed
        assert_told(root, settings)
        serving = champion(root, settings)
        assert serving is not None
        if serving.number != wanted.number:
            assert failed is not None
            set_champion(wanted, f"{share} again", {}, root, settings, allow_dirty=True)
        assert_told(root, settings)


def assert_told(root: Path, settings: TrackingSettings) -> None:
    """The history's last move is the champion's, and nobody made one outside."""
    moves, serving = history(root, settings), champion(root, settings)
    assert serving is not None and moves["version"].iloc[-1] == serving.number
    assert not set(moves["event"]) - {"promoted"}


def test_an_object_store_that_refuses_registers_nothing_and_the_champion_goes_on_serving(
    root: Path, tracking: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": tracking})
    first, second = (weights(root / f"{seed}.safetensors", seed) for seed in (11, 12))
    version = register(first, None, {}, root, settings=settings)
    serving = set_champion(version, "first", {}, root, settings, allow_dirty=True)
    before = [version.number for version in versions(root, settings)]

    bucket.refusing = lambda method, path: method == "PUT" and path.endswith(".safetensors")  # the rest gets there
    with pytest.raises((RegistryError, OSError), match=r"12\.safetensors"):
        register(second, None, {}, root, settings=settings)
    assert sum(method == "PUT" and path.endswith(".safetensors") for method, path in bucket.requests) > 1  # retried
    assert [version.number for version in versions(root, settings)] == before
    bucket.be_well()
    served = resolve_weights("models:/sft-dec@champion", root, settings)
    assert served.read_bytes() == first.read_bytes()

    version = register(second, None, {}, root, settings=settings)
    assert version.number > serving.number and "challenger" in version.aliases
    assert resolve_weights(version.uri, root, settings).read_bytes() == second.read_bytes()


def test_weights_that_the_store_does_not_give_back_are_an_error_and_no_half_file(
    root: Path, tracking: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    # through the server, as docs/deploy.md says: straight from the bucket MLflow waits two minutes before it gives up
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    settings = read_settings(root, {"MLFLOW_TRACKING_URI": tracking})
    version = register(weights(root / "w.safetensors", 13), None, {}, root, settings=settings)
    bucket.refusing = lambda method, path: method == "GET" and path.endswith(".safetensors")
    with pytest.raises((RegistryError, OSError)) as caught:
        resolve_weights(version.uri, root, settings)
    assert version.uri in str(caught.value)
    bucket.be_well()
    assert resolve_weights(version.uri, root, settings).read_bytes() == (root / "w.safetensors").read_bytes()


@pytest.fixture
def shared(tmp_path: Path, bucket: Bucket) -> Path:
    """A DVC project with one out of 100 KB and a remote in the bucket."""
    project = tmp_path / "shared"
    project.mkdir()
    (project / "model.bin").write_bytes(bytes(range(256)) * 400)
    dvc(project, "init", "--no-scm", "-q")
    dvc(project, "add", "-q", "model.bin")
    dvc(project, "remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/{tmp_path.name}")
    dvc(project, "remote", "modify", "-q", "store", "endpointurl", bucket.url)
    return project


def dvc(project: Path, *arguments: str) -> str:
    done = attempt(project, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def attempt(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project, env=base_environment(), capture_output=True, text=True, check=False)


def forget(project: Path) -> None:
    """The out and the cache are gone, as in another checkout."""
    import shutil

    shutil.rmtree(project / ".dvc" / "cache")
    (project / "model.bin").unlink()


def test_a_slow_store_only_takes_longer(shared: Path, bucket: Bucket) -> None:
    content = (shared / "model.bin").read_bytes()
    bucket.delay = 2.0
    dvc(shared, "push")
    forget(shared)
    dvc(shared, "pull")
    assert (shared / "model.bin").read_bytes() == content


def test_a_push_that_is_refused_is_retried_then_fails_and_a_later_one_goes_through(
    shared: Path, bucket: Bucket
) -> None:
    bucket.refusing = lambda method, path: method in ("PUT", "POST")
    failed = attempt(shared, "push")
    assert failed.returncode != 0 and "failed to push" in (failed.stdout + failed.stderr).lower()
    assert len([method for method, _ in bucket.requests if method == "PUT"]) > 1
    assert bucket.names(shared.parent.name) == []
    bucket.be_well()
    dvc(shared, "push")
    assert len(bucket.names(shared.parent.name)) == 1


def test_a_pull_that_is_refused_leaves_no_out_rather_than_half_of_one(shared: Path, bucket: Bucket) -> None:
    content = (shared / "model.bin").read_bytes()
    dvc(shared, "push")
    forget(shared)
    bucket.refusing = lambda method, path: method == "GET" and path.count("/") > 2
    failed = attempt(shared, "pull")
    assert failed.returncode != 0 and not (shared / "model.bin").exists()
    bucket.be_well()
    dvc(shared, "pull")
    assert (shared / "model.bin").read_bytes() == content
