"""A version's weights file, out of the artefact store and checked."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.registry.store import ArtifactError, RegistryError, Version
from sftdec.runtime import checksum
from sftdec.tracking import FOLDER

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEPT = 4  # copies of versions' weights; of more than these none is in use
STALE = 24 * 3600  # s after which a half copy has no process any more


def download_weights(client: "MlflowClient", version: Version, root: Path) -> Path:
    """The version's weights file, in place where the store is on this machine, else a copy under
    ``.tracking``, of which the last few are kept.

    The caller has made the registry MLflow's global one. Raises ``ArtifactError`` where the file isn't there,
    or is not the one that was registered, ``RegistryError`` where the store can't be asked.
    """
    expected = version.tags.get("weights_sha256")
    if expected is None:
        raise ArtifactError(f"{version.uri} has no tag weights_sha256 to check its file by; register it anew")
    place = client.get_model_version_download_uri(version.name, str(version.number))
    if place.startswith(("file:", "/")):
        return _checked(version, place, None, expected)
    copies = root / FOLDER / "weights"
    copies.mkdir(parents=True, exist_ok=True)
    _prune(copies)
    with tempfile.TemporaryDirectory(prefix=".", dir=copies) as half:
        copy = copies / f"{version.name}-{version.number}.safetensors"
        os.replace(_checked(version, place, half, expected), copy)
    return copy


def _checked(version: Version, place: str, target: str | None, expected: str) -> Path:
    from mlflow.artifacts import download_artifacts

    try:
        folder = download_artifacts(artifact_uri=f"{version.uri}/artifacts", dst_path=target)
    except Exception as error:  # whatever a store can fail with
        if _is_missing(error):
            raise ArtifactError(f"{version.uri}: its files are not in {place} ({error}); register again") from error
        raise RegistryError(
            f"{version.uri}: its files could not be had from {place} ({error}); run again when the store answers"
        ) from error
    files = sorted(Path(folder).glob("*.safetensors"))
    if len(files) != 1:
        raise ArtifactError(f"{version.uri}: expected one .safetensors file in {folder}, found {len(files)}")
    found = checksum(files[0])
    if found != expected:
        raise ArtifactError(
            f"{files[0]} is not what was registered as {version.uri}: SHA-256 {found[:16]}…, expected "
            f"{expected[:16]}…; restore the file or register the weights again"
        )
    return files[0]


def _is_missing(error: Exception) -> bool:
    """Whether the store said that there is no such file, and not that it is in trouble."""
    code = getattr(error, "error_code", None)
    # S3's answer comes as MLflow's internal error, its own code in the text alone
    return isinstance(error, FileNotFoundError) or code == "RESOURCE_DOES_NOT_EXIST" or "(404)" in str(error)


def _prune(copies: Path) -> None:
    """Leave the copies used last, and what another process is just fetching."""
    entries = [(entry.stat().st_mtime, entry) for entry in copies.iterdir()]
    whole = sorted((made, entry) for made, entry in entries if not entry.name.startswith("."))
    for _, entry in whole[: -(KEPT - 1)] + [each for each in entries if each[1].name.startswith(".") and _old(each[0])]:
        if entry.is_dir():  # a half copy, or one of an older release
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _old(made: float) -> bool:
    return time.time() - made > STALE
