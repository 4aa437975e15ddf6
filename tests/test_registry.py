import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from sftdec.networks import NetworkConfig, build_network, load_weights, save_weights
from sftdec.registry import (
    Decision,
    RegistryError,
    champion,
    decide,
    history,
    package,
    record_decision,
    register,
    resolve_weights,
    set_champion,
    versions,
)
from sftdec.served_model import encode_png
from sftdec.tracking import TrackingSettings, checksum, read_settings, track_stage
from sftdec.tracking.settings import fluent_store, open_client


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the schema alone; making it takes seconds, copying it nothing."""
    root = tmp_path_factory.mktemp("registry")
    open_client(read_settings(root, {})).search_experiments()
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    (tmp_path / "params.yaml").write_text("network: {size: small}\n")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> TrackingSettings:
    return read_settings(root, {})


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three weights files of the small network, each with other random weights."""
    folder = tmp_path_factory.mktemp("trained")
    paths = []
    for seed in range(3):
        paths.append(folder / f"seed{seed}.safetensors")
        save_weights(build_network(NetworkConfig.of_size("small"), seed), paths[-1])
    return paths


def table(psnr: list[float], blurred: list[float] | None = None, scenes: str = "abc") -> pd.DataFrame:
    names = list(scenes)[: len(psnr)]
    values = {
        "dataset": "sample",
        "scene": names,
        "psnr": psnr,
        "psnr_blurred": blurred or [20.0] * len(psnr),
    }
    return pd.DataFrame(values)


# the gate


def test_the_first_version_is_promoted_if_it_beats_the_blurred_input() -> None:
    decision = decide(table([21.0, 22.0, 20.0]), None, 0.5)
    assert decision.promote
    assert decision.figures["gain"] == pytest.approx(1.0)
    assert decision.figures["blurred_psnr"] == 20.0
    assert "+1.000 dB against the blurred input" in decision.reason


def test_the_first_version_is_refused_if_it_is_no_better_than_doing_nothing() -> None:
    decision = decide(table([20.0, 20.0, 20.0]), None, 0.0)
    assert not decision.promote
    assert "not more than" in decision.reason
    assert not decide(table([19.0, 20.9, 20.0]), None, 0.0).promote


def test_a_challenger_must_beat_the_champion_by_more_than_the_margin() -> None:
    serving = table([25.0, 26.0, 27.0])
    assert decide(table([25.2, 26.2, 27.2]), serving, 0.1).promote
    assert not decide(table([25.05, 26.05, 27.05]), serving, 0.1).promote
    assert not decide(serving, serving, 0.0).promote
    assert not decide(table([24.0, 26.0, 27.0]), serving, 0.0).promote
    assert decide(table([24.0, 26.0, 27.0]), serving, -1.0).promote


def test_the_order_of_the_scenes_does_not_matter() -> None:
    serving = table([25.0, 26.0, 27.0])
    assert decide(table([27.1, 26.1, 25.1], scenes="cba"), serving, 0.0).promote


def test_other_scenes_are_refused_however_good_they_look() -> None:
    decision = decide(table([40.0, 40.0, 40.0], scenes="abd"), table([25.0, 26.0, 27.0]), 0.0)
    assert not decision.promote
    assert "1 only in the challenger's table (as sample/d)" in decision.reason
    assert "1 only in the champion's (as sample/c)" in decision.reason
    assert not decide(table([40.0, 40.0]), table([25.0, 26.0, 27.0]), 0.0).promote
    assert "twice" in decide(table([40.0, 40.0, 40.0], scenes="aab"), None, 0.0).reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    for challenger, serving in (
        (table([40.0, bad, 40.0]), None),
        (table([40.0, 40.0, 40.0], [20.0, bad, 20.0]), None),
        (table([40.0, bad, 40.0]), table([25.0, 26.0, 27.0])),
        (table([40.0, 40.0, 40.0]), table([25.0, bad, 27.0])),
    ):
        decision = decide(challenger, serving, 0.0)
        assert not decision.promote and "1 PSNR values are NaN or infinite" in decision.reason


def test_an_empty_table_is_refused_and_a_missing_column_is_an_error() -> None:
    assert decide(table([]), None, 0.0) == Decision(False, "there are no images to judge by", {"images": 0.0})
    with pytest.raises(ValueError, match=r"\['psnr_blurred'\] are missing"):
        decide(table([1.0]).drop(columns="psnr_blurred"), None, 0.0)


# registering


def test_a_registered_version_is_verified_tagged_and_the_challenger(
    root: Path, settings: TrackingSettings, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with track_stage("register", root, settings=settings) as tracker:
        run_id = tracker.run_id()
        version = register(trained[0], run_id, {"sample": {"psnr": 25.5}}, root, {"note": "x"}, settings)
    assert version.number == 1 and version.aliases == ("challenger",) and version.run_id == run_id
    assert version.tags["weights_sha256"] == checksum(trained[0])
    assert version.tags["metric.sample.psnr"] == "25.5"
    assert version.tags["verified"] == "true" and version.tags["note"] == "x"
    assert "sftdec.lineage" in version.tags
    with fluent_store(settings):
        model = mlflow.pyfunc.load_model(version.uri)
    assert model.metadata.signature.inputs.input_names() == ["image"]
    assert model.metadata.signature.outputs.input_names() == ["deblurred", "defocus", "sigma_max"]
    assert list(model.input_example.columns) == ["image"]
    assert model.metadata.run_id == run_id
    client = open_client(settings)
    assert client.get_run(run_id).outputs.model_outputs[0].model_id == model.metadata.model_id


def test_the_same_weights_make_no_second_version_and_other_weights_do(
    root: Path, settings: TrackingSettings, trained: list[Path], tmp_path: Path
) -> None:
    first = register(trained[0], None, {}, root, settings=settings)
    copied = Path(shutil.copy(trained[0], tmp_path / "another_name.safetensors"))
    assert register(copied, None, {}, root, settings=settings).number == first.number
    second = register(trained[1], None, {}, root, settings=settings)
    assert second.number == 2
    assert [v.aliases for v in versions(root, settings)] == [(), ("challenger",)]


def test_a_version_that_answers_otherwise_than_the_network_gets_no_alias(
    root: Path,
    settings: TrackingSettings,
    trained: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = package.SERVED_MODEL.read_text()
    wrong = tmp_path / "served_model.py"
    wrong.write_text(served.replace("np.clip(deblurred, 0, 1)", "np.clip(1 - deblurred, 0, 1)"))
    monkeypatch.setattr(package, "SERVED_MODEL", wrong)
    with pytest.raises(RegistryError, match="the served picture differs"):
        register(trained[0], None, {}, root, settings=settings)
    (broken,) = versions(root, settings)
    assert broken.aliases == () and "differs" in broken.tags["broken"]
    with pytest.raises(RegistryError, match="was not verified"):
        set_champion(broken, "by hand", {}, root, settings)
    monkeypatch.undo()
    assert register(trained[0], None, {}, root, settings=settings).number == 2  # the broken one is no match


def test_a_version_that_does_not_load_gets_no_alias(
    root: Path,
    settings: TrackingSettings,
    trained: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = tmp_path / "served_model.py"
    wrong.write_text(package.SERVED_MODEL.read_text().replace('artifacts["weights"]', 'artifacts["weight"]'))
    monkeypatch.setattr(package, "SERVED_MODEL", wrong)
    with pytest.raises(RegistryError, match="got no alias"):
        register(trained[0], None, {}, root, settings=settings)
    assert versions(root, settings)[0].aliases == ()


def test_a_registry_that_is_away_is_named(root: Path, trained: list[Path]) -> None:
    away = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(RegistryError, match=rf"{away.uri} does not answer; start the MLflow server"):
        register(trained[0], None, {}, root, settings=away)


def test_what_mlflow_complains_of_names_the_registry(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    with pytest.raises(RegistryError, match=r"the registry at sqlite:.*not found"):
        register(trained[0], "0" * 32, {}, root, settings=settings)


def test_the_global_store_of_mlflow_is_put_back(
    root: Path, settings: TrackingSettings, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    register(trained[0], None, {}, root, settings=settings)
    assert "MLFLOW_TRACKING_URI" not in os.environ


# promoting


def test_the_gates_decisions_are_written_down_and_move_the_alias(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    assert champion(root, settings) is None
    assert history(root, settings).empty
    first = register(trained[0], None, {}, root, settings=settings)
    promoted = record_decision(first, decide(table([22.0]), None, 0.0), root, settings)
    assert promoted.aliases == ("challenger", "champion")
    assert (promoted.tags["gate.decision"], promoted.tags["gate.gain"]) == ("promoted", "2")

    second = register(trained[1], None, {}, root, settings=settings)
    refused = record_decision(second, decide(table([21.0]), table([22.0]), 0.0), root, settings)
    assert refused.tags["gate.decision"] == "refused" and "not more than" in refused.tags["gate.reason"]
    assert champion(root, settings) == versions(root, settings)[0]

    set_champion(second, "a person knew better", {}, root, settings)
    serving = champion(root, settings)
    assert serving is not None and serving.number == 2
    past = history(root, settings)
    assert list(past["version"]) == [1, 2]
    assert past["previous"].isna()[0] and past["previous"][1] == 1
    assert past["reason"][1] == "a person knew better"


# resolving


def test_a_path_is_its_own_weights_file_and_a_missing_one_is_an_error(root: Path, trained: list[Path]) -> None:
    assert resolve_weights(str(trained[0]), root) == trained[0]
    shutil.copy(trained[0], root / "mine.safetensors")
    assert resolve_weights("mine.safetensors", root) == root / "mine.safetensors"
    with pytest.raises(RegistryError, match=r"gone\.safetensors: no such weights file"):
        resolve_weights("gone.safetensors", root)


def test_aliases_and_numbers_lead_to_the_weights_that_were_registered(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    first = register(trained[0], None, {}, root, settings=settings)
    register(trained[1], None, {}, root, settings=settings)
    set_champion(first, "first", {}, root, settings)
    for address, weights in (
        ("models:/sft-dec@champion", trained[0]),
        ("models:/sft-dec@challenger", trained[1]),
        ("models:/sft-dec/2", trained[1]),
    ):
        found = resolve_weights(address, root, settings)
        assert found.read_bytes() == weights.read_bytes()
        load_weights(found)


def test_an_unknown_address_names_what_there_is_and_the_mend(
    root: Path, settings: TrackingSettings, trained: list[Path], tmp_path: Path
) -> None:
    register(trained[0], None, {}, root, settings=settings)
    for address, there in (
        ("models:/sft-dec@champion", "versions: 1 @challenger"),
        ("models:/sft-dec/7", "versions: 1 @challenger"),
        ("models:/other/1", "registered models: sft-dec"),
    ):
        with pytest.raises(RegistryError) as caught:
            resolve_weights(address, root, settings)
        assert address in str(caught.value) and there in str(caught.value)
        assert "make repro" in str(caught.value) and "--model" in str(caught.value)
    with pytest.raises(RegistryError, match="expected models:/sft-dec@champion"):
        resolve_weights("models:/sft-dec", root, settings)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RegistryError, match="no registry at"):
        resolve_weights("models:/sft-dec@champion", empty, read_settings(empty, {}))
    assert champion(empty, read_settings(empty, {})) is None
    assert history(empty, read_settings(empty, {})).empty
    assert not (empty / "mlflow.db").exists()


def test_a_file_that_was_tampered_with_is_refused(root: Path, settings: TrackingSettings, trained: list[Path]) -> None:
    register(trained[0], None, {}, root, settings=settings)
    stored = resolve_weights("models:/sft-dec/1", root, settings)
    shutil.copy(trained[1], stored)
    with pytest.raises(RegistryError, match="is not what was registered as models:/sft-dec/1"):
        resolve_weights("models:/sft-dec/1", root, settings)
    stored.unlink()
    with pytest.raises(RegistryError, match=r"expected one \.safetensors file in .*, found 0"):
        resolve_weights("models:/sft-dec/1", root, settings)
    shutil.rmtree(stored.parent)
    with pytest.raises(RegistryError, match="its files are not in"):
        resolve_weights("models:/sft-dec/1", root, settings)


def test_a_version_without_a_checksum_is_not_trusted(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    version = register(trained[0], None, {}, root, settings=settings)
    open_client(settings).delete_model_version_tag(version.name, "1", "weights_sha256")
    with pytest.raises(RegistryError, match="no tag weights_sha256"):
        resolve_weights("models:/sft-dec/1", root, settings)


# real servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_a_version_behind_a_tracking_server_is_registered_and_fetched_over_http(
    root: Path, trained: list[Path], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{root / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "served_artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        remote = read_settings(root, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"})
        version = register(trained[0], None, {}, root, settings=remote)
        set_champion(version, "first", {}, root, remote)
        fetched = resolve_weights("models:/sft-dec@champion", root, remote)
        assert fetched.is_relative_to(root / ".tracking" / "weights")
        assert fetched.read_bytes() == trained[0].read_bytes()
        assert resolve_weights("models:/sft-dec@champion", root, remote) == fetched
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.mark.slow
def test_a_served_version_answers_over_http_and_says_400_to_what_is_no_image(
    root: Path, settings: TrackingSettings, trained: list[Path], tmp_path: Path
) -> None:
    version = register(trained[0], None, {}, root, settings=settings)
    port, log = free_port(), tmp_path / "serve.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", version.uri, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": settings.uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server, log)
        picture = encode_png(package.example_picture())
        for form in ({"dataframe_records": [{"image": picture}]}, {"inputs": {"image": [picture]}}):
            (answer,) = ask(port, form)["predictions"]
            assert answer["sigma_max"] == 6.0
            assert package._decode_png(answer["deblurred"]).shape == (48, 64, 3)
            assert package._decode_png(answer["defocus"]).dtype == np.uint16
        for wrong, message in (
            ({"dataframe_records": [{"image": "aGVsbG8="}]}, "not an image"),
            ({"dataframe_records": [{"photo": picture}]}, "image"),
            (
                {"dataframe_records": [{"image": picture}], "params": {"max_megapixels": 0.001}},
                "the limit is",
            ),
        ):
            with pytest.raises(urllib.error.HTTPError) as caught:
                ask(port, wrong)
            assert caught.value.code == 400
            assert message in caught.value.read().decode()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(port: int, content: object) -> dict[str, list[dict[str, object]]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))
