"""The registered model's versions, their aliases and tags, as the MLflow registry has them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sftdec.tracking.settings import TrackingError, TrackingSettings, open_client, server_answers

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "sft-dec"


class RegistryError(ValueError):
    """A version can't be registered, found or trusted; the message says which, why and what mends it."""


@dataclass(frozen=True)
class Version:
    """One version of the registered model."""

    number: int
    run_id: str | None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str = MODEL

    @property
    def uri(self) -> str:
        """The address MLflow knows it by."""
        return f"models:/{self.name}/{self.number}"


@contextmanager
def open_registry(settings: TrackingSettings) -> Iterator["MlflowClient"]:
    """A client on the registry; what MLflow complains of becomes a ``RegistryError`` naming the address."""
    if settings.is_remote and not server_answers(settings.uri):
        raise RegistryError(f"{settings.uri} does not answer; start the MLflow server, or mend MLFLOW_TRACKING_URI")
    client = open_client(settings)
    from mlflow.exceptions import MlflowException

    try:
        yield client
    except (MlflowException, TrackingError) as error:
        raise RegistryError(f"the registry at {settings.uri}: {error}") from error


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
        for one in page:
            own = tuple(sorted(aliases.get(int(one.version), ())))
            listed.append(Version(int(one.version), one.run_id, own, dict(one.tags), name))
        token = page.token
        if not token:
            return sorted(listed, key=lambda version: version.number)


def read_version(client: "MlflowClient", number: int) -> Version:
    """One version; raises ``RegistryError`` naming those there are."""
    known = read_versions(client)
    for version in known:
        if version.number == number:
            return version
    raise RegistryError(f"models:/{MODEL}/{number}: no such version, there are {[v.number for v in known]}")


def tag_decision(
    client: "MlflowClient", version: Version, decision: str, reason: str, figures: Mapping[str, float]
) -> None:
    """Write on a version what the gate (or a person) decided, why, when, and by which figures."""
    tags = {
        "gate.decision": decision,
        "gate.reason": reason,
        "gate.time": datetime.now(UTC).isoformat(timespec="seconds"),
        **{f"gate.{key}": f"{value:g}" for key, value in figures.items()},
    }
    for key in version.tags:  # of an earlier decision, with other figures
        if key.startswith("gate.") and key not in tags:
            client.delete_model_version_tag(version.name, str(version.number), key)
    for key, value in tags.items():
        client.set_model_version_tag(version.name, str(version.number), key, value)
