"""From an address to the weights that were registered."""

import shutil
import sys
from pathlib import Path

import pytest

from sftdec.builtin import builtin_weights
from sftdec.networks import load_weights
from sftdec.registry import RegistryError, champion, find_weights, history, register, resolve_weights, set_champion
from sftdec.runtime import checksum
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import open_client


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


def test_a_model_that_is_not_named_is_the_better_champion_and_builtin_where_there_is_none_or_nobody_to_ask(
    root: Path,
    settings: TrackingSettings,
    trained: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = register(trained[0], None, {}, root, settings=settings)
    assert find_weights() == builtin_weights()
    set_champion(first, "first", {}, root, settings)
    judged = {"weights_sha256": checksum(builtin_weights()), "psnr": "25", "gain": "0.5", "images": "2"}
    for key, value in judged.items():
        open_client(settings).set_model_version_tag(first.name, "1", f"builtin.{key}", value)
    assert find_weights().read_bytes() == trained[0].read_bytes() and not caplog.messages
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as where it isn't installed
    assert find_weights() == builtin_weights() and "isn't installed: builtin is taken" in caplog.text
