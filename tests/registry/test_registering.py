"""Registering and promoting."""

import os
import re
import shutil
import tomllib
from pathlib import Path

import mlflow
import pytest

from sftdec.networks import build_network, save_weights
from sftdec.params import NetworkConfig
from sftdec.registry import (
    SCENES_TAG,
    RegistryError,
    Version,
    champion,
    decide,
    history,
    package,
    record_decision,
    register,
    set_champion,
    versions,
)
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings, track_stage
from sftdec.tracking.settings import fluent_store, open_client
from tests.registry.results import rules, table
from tests.tracking.recorded import free_port, run_python


def test_a_registered_version_is_verified_tagged_and_the_challenger(
    root: Path, settings: TrackingSettings, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with track_stage("register", root, settings=settings) as tracker:
        run_id = tracker.run_id()
        version = register(trained[0], run_id, {"sample": {"psnr": 25.5}}, root, {"note": "x"}, settings)
    assert version.number == 1 and version.aliases == ("challenger",)
    assert version.run_id == version.tags["made.run"] != run_id  # the training's, not the registering's
    assert version.tags["weights_sha256"] == checksum(trained[0])
    assert version.tags["metric.sample.psnr"] == "25.5"
    assert version.tags["verified"] == "true" and version.tags["note"] == "x"
    assert "sftdec.lineage" in version.tags
    with fluent_store(settings):
        model = mlflow.pyfunc.load_model(version.uri)
    assert model.metadata.signature.inputs.input_names() == ["image", "mask"]
    assert model.metadata.signature.inputs.required_input_names() == ["image"]
    assert model.metadata.signature.outputs.input_names() == ["deblurred", "defocus", "sigma_max"]
    assert list(model.input_example.columns) == ["image"]
    assert model.metadata.run_id == version.run_id
    assert requirements_of(version, settings) == {*base_packages(), "mlflow", "pandas"}
    client = open_client(settings)
    assert client.get_run(version.run_id).outputs.model_outputs[0].model_id == model.metadata.model_id


def test_models_are_ranked_by_their_figures_on_a_data_set(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    figures = [{"near": {"psnr": 25.0}, "far": {"psnr": 31.0}}, {"near": {"psnr": 28.0}, "far": {"psnr": 30.0}}]
    for weights, metrics in zip(trained, figures, strict=False):
        register(weights, None, metrics, root, {SCENES_TAG: "f" * 64}, settings)
    register(trained[0], None, figures[0], root, {SCENES_TAG: "f" * 64}, settings)  # once more: it is there already
    with fluent_store(settings):
        for name, best in (("near", [28.0, 25.0]), ("far", [31.0, 30.0])):
            order = [{"field_name": "metrics.psnr", "ascending": False, "dataset_name": name}]
            ranked = mlflow.search_logged_models(["1"], order_by=order, output_format="list")
            kept = [[m.value for m in model.metrics if m.dataset_name == name] for model in ranked]
            assert kept == [[value] for value in best]


def test_a_version_is_loaded_where_sftdec_is_not_installed(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    version = register(trained[0], None, {}, root, settings=settings)
    done = run_python(
        """
        import base64, importlib.util, sys
        from pathlib import Path
        sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
        sys.path = [place for place in sys.path if not Path(place or ".", "sftdec").is_dir()]
        assert importlib.util.find_spec("sftdec") is None
        import mlflow, pandas
        mlflow.set_tracking_uri(sys.argv[1])
        model = mlflow.pyfunc.load_model(sys.argv[2])
        answer = model.predict(model.input_example)
        print(list(answer.columns), Path(sys.modules["sftdec"].__file__).parts[-3:])
        """,
        settings.uri,
        version.uri,
    )
    expected = "['deblurred', 'defocus', 'sigma_max'] ('code', 'sftdec', '__init__.py')"
    assert done.stdout.strip() == expected, done.stderr


def requirements_of(version: Version, settings: TrackingSettings) -> set[str]:
    """The packages that a version lists; their versions are ones that any index has."""
    with fluent_store(settings):
        lines = Path(mlflow.pyfunc.get_model_dependencies(version.uri)).read_text().split()
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines)
    return {line.partition("==")[0] for line in lines}


def base_packages() -> set[str]:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    return {entry.partition(">=")[0] for entry in project["dependencies"]}


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
    wrong.write_text(served.replace("encode_png(levels, ", "encode_png(255 - levels, "))
    assert wrong.read_text() != served
    monkeypatch.setattr(package, "SERVED_MODEL", wrong)
    with pytest.raises(RegistryError, match="the served picture differs"):
        register(trained[0], None, {}, root, settings=settings)
    (broken,) = versions(root, settings)
    assert broken.aliases == () and "differs" in broken.tags["broken"]
    with pytest.raises(RegistryError, match=r"is broken, so it can't serve .*differs"):
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


def test_what_mlflow_complains_of_names_the_registry(root: Path, settings: TrackingSettings) -> None:
    unknown = root / "unknown.safetensors"  # no run is known to have made it
    save_weights(build_network(NetworkConfig.of_size("small"), 99), unknown)
    with pytest.raises(RegistryError, match=r"the registry at sqlite:.*not found"):
        register(unknown, "0" * 32, {}, root, settings=settings)


def test_the_global_store_of_mlflow_is_put_back(
    root: Path, settings: TrackingSettings, trained: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    register(trained[0], None, {}, root, settings=settings)
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_the_gates_decisions_are_written_down_and_move_the_alias(
    root: Path, settings: TrackingSettings, trained: list[Path]
) -> None:
    assert champion(root, settings) is None
    assert history(root, settings).empty
    first = register(trained[0], None, {}, root, settings=settings)
    promoted = record_decision(first, decide(table([22.0, 22.0]), None, rules()), root, settings)
    assert promoted.aliases == ("challenger", "champion")
    assert promoted.tags["gate.decision"] == "promoted" and ", gain 2, " in promoted.tags["gate.figures"]
    described = open_client(settings).get_model_version("sft-dec", "1").description
    assert described.startswith("Promoted by gate on 20") and described.endswith(promoted.tags["gate.reason"])

    second = register(trained[1], None, {}, root, settings=settings)
    refused = record_decision(second, decide(table([21.0, 21.0]), table([22.0, 22.0]), rules()), root, settings)
    assert refused.tags["gate.decision"] == "refused" and "not above" in refused.tags["gate.reason"]
    assert champion(root, settings) == versions(root, settings)[0]

    set_champion(second, "a person knew better", {}, root, settings)
    serving = champion(root, settings)
    assert serving is not None and serving.number == 2
    past = history(root, settings)
    assert list(past["version"]) == [1, 2]
    assert past["previous"].isna()[0] and past["previous"][1] == 1
    assert past["reason"][1] == "a person knew better"
