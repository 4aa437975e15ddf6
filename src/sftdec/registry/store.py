"""The registered model's versions, their aliases and tags, as the MLflow registry has them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sftdec.tracking import TrackingError, TrackingSettings, in_a_sentence, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MODEL = "sft-dec"
SCENES_TAG = "hash.scenes"  # of the photos that a version's registered figures were measured on
ORIGIN = "origin"  # tag: the release that a version's weights are of, where no training of the project made them


class RegistryError(ValueError):
    """A version can't be registered, found or trusted; the message says which, why and what mends it."""


class ArtifactError(RegistryError):
    """A version's file is missing from the artefact store, or is not the one that was registered."""


@dataclass(frozen=True)
class Version:
    """One version of the registered model."""

    number: int
    run_id: str | None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str = MODEL
    created: int = 0  # ms since 1970

    @property
    def uri(self) -> str:
        """The address MLflow knows it by."""
        return f"models:/{self.name}/{self.number}"

    @property
    def unreproducible(self) -> str:
        """Why no clean commit stands for it; empty where one does, and for what a release stands for."""
        if ORIGIN in self.tags:
            return ""
        for tag in ("unreproducible", "git.doubt"):
            if told := self.tags.get(tag):
                return told
        if "git.commit" not in self.tags:
            return "registered without a Git commit"
        return "uncommitted changes" if self.tags.get("git.dirty") != "false" else ""


@contextmanager
def open_registry(settings: TrackingSettings) -> Iterator["MlflowClient"]:
    """A client on the registry; what MLflow complains of becomes a ``RegistryError`` naming the address."""
    try:
        client = open_client(settings)
    except TrackingError as error:
        raise RegistryError(str(error)) from error
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError  # MLflow's registry opens its database at the first call

    try:
        yield client
    except (MlflowException, SQLAlchemyError, TrackingError) as error:
        raise RegistryError(f"the registry at {settings.shown}: {in_a_sentence(error)}") from error


def read_versions(client: "MlflowClient", name: str = MODEL) -> list[Version]:
    """All versions of a registered model, oldest first, with their aliases."""
    found = list(client.search_registered_models(f"name = '{name}'"))
    if not found:
        return []
    aliases: dict[int, list[str]] = {}
    for alias, number in found[0].aliases.items():
        aliases.setdefault(int(number), []).append(alias)
    listed: list[Version] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        listed += [_version(one, aliases.get(int(one.version), ())) for one in page]
        token = page.token
        if not token:
            return sorted(listed, key=lambda version: version.number)


def find_version(client: "MlflowClient", wanted: str | int, name: str = MODEL) -> Version | None:
    """The version of an alias or a number, asked for alone: no longer with a thousand versions than with one."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

    absent = {ErrorCode.Name(code) for code in (INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST)}
    try:
        if isinstance(wanted, int):
            found = client.get_model_version(name, str(wanted))
        else:
            found = client.get_model_version_by_alias(name, wanted)
    except MlflowException as error:
        if error.error_code in absent:
            return None
        raise
    return _version(found, found.aliases)


def read_version(client: "MlflowClient", number: int) -> Version:
    """One version; raises ``RegistryError`` naming those there are."""
    if found := find_version(client, number):
        return found
    known = [version.number for version in read_versions(client)]
    raise RegistryError(f"models:/{MODEL}/{number}: no such version, there are {known}")


def tag_version(client: "MlflowClient", version: Version, tags: Mapping[str, str]) -> None:
    """Set tags of a version, those alone that it hasn't yet."""
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, str(version.number), key, value)


def tag_decision(client: "MlflowClient", version: Version, tags: Mapping[str, str]) -> None:
    """Write on a version what the gate (or a person) decided: ``tags`` without their prefix ``gate.``.

    Its description, which MLflow's page begins with, says it in a sentence.
    """
    told = f"{tags['decision']} by {tags['by']} on {tags['time'][:10]}: {tags['reason']}"
    client.update_model_version(version.name, str(version.number), told[0].upper() + told[1:])
    named = {f"gate.{key}": value for key, value in tags.items()}
    for key in version.tags:  # of an earlier decision, with other figures
        if key.startswith("gate.") and key not in named:
            client.delete_model_version_tag(version.name, str(version.number), key)
    tag_version(client, version, named)


def now() -> str:
    """The time in UTC, as tags and the history write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _version(found: "ModelVersion", aliases: Iterable[str]) -> Version:
    own = tuple(sorted(aliases))
    return Version(int(found.version), found.run_id, own, dict(found.tags), found.name, found.creation_timestamp or 0)
