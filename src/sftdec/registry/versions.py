"""The registered model ``sft-dec``: what is registered, what serves and why, and whose weights."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sftdec.registry.gate import Decision
from sftdec.registry.package import create_version, download_weights, verify
from sftdec.registry.store import (
    MODEL,
    RegistryError,
    Version,
    open_registry,
    read_version,
    read_versions,
    tag_decision,
)
from sftdec.tracking.lineage import checksum, flatten, lineage
from sftdec.tracking.settings import TrackingSettings, fluent_store, read_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MEND = "run `make repro`, or `dvc repro -f register` where it has run, to make one, or give a weights file (--model)"


def register(
    weights: Path,
    run_id: str | None,
    metrics: Mapping[str, Any],
    root: Path,
    tags: Mapping[str, str] | None = None,
    settings: TrackingSettings | None = None,
) -> Version:
    """Make ``weights`` a version with the alias ``challenger``; weights that have a version keep theirs.

    The version is loaded back and compared with the network before it gets the alias. Raises
    ``RegistryError`` where that fails (the version is then tagged ``broken``) or the registry is away.
    """
    settings = settings or read_settings(root)
    digest = checksum(weights)
    with open_registry(settings) as client:
        same = [v for v in read_versions(client) if v.tags.get("weights_sha256") == digest and "broken" not in v.tags]
        if same:
            version = same[-1]
        else:
            figures = {f"metric.{key}": value for key, value in flatten(metrics).items()}
            described = {**lineage(root).tags(), **figures, **(tags or {}), "weights_sha256": digest}
            with fluent_store(settings):
                version = create_version(client, settings, weights, run_id, described)
        try:
            with fluent_store(settings):
                verify(version, weights)
        except Exception as error:
            client.set_model_version_tag(MODEL, str(version.number), "broken", str(error)[:1000])
            raise RegistryError(
                f"{version.uri} does not give what {weights} gives ({error}); it got no alias and is tagged "
                "`broken`: mend the cause and register again"
            ) from error
        client.set_model_version_tag(MODEL, str(version.number), "verified", "true")
        client.set_registered_model_alias(MODEL, "challenger", str(version.number))
        return read_version(client, version.number)


def versions(root: Path, settings: TrackingSettings | None = None) -> list[Version]:
    """All versions, oldest first; empty where nothing was registered yet."""
    settings = settings or read_settings(root)
    if not settings.exists:
        return []
    with open_registry(settings) as client:
        return read_versions(client)


def champion(root: Path, settings: TrackingSettings | None = None) -> Version | None:
    """The version that serves, None before the first promotion."""
    return next((v for v in versions(root, settings) if "champion" in v.aliases), None)


def set_champion(
    version: Version,
    reason: str,
    figures: Mapping[str, float],
    root: Path,
    settings: TrackingSettings | None = None,
) -> Version:
    """Let ``version`` serve, and write down why (tags ``gate.…`` and the model's history).

    Raises ``RegistryError`` for a version that was never verified or is broken.
    """
    with open_registry(settings or read_settings(root)) as client:
        current = read_version(client, version.number)
        if "broken" in current.tags or current.tags.get("verified") != "true":
            raise RegistryError(f"{current.uri} was not verified, so it can't serve; register its weights again")
        previous = next((v.number for v in read_versions(client) if "champion" in v.aliases), None)
        tag_decision(client, current, "promoted", reason, figures)
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": current.number,
            "previous": previous,
            "reason": reason,
        }
        past = json.loads(client.get_registered_model(MODEL).tags.get("champion.history", "[]"))
        client.set_registered_model_tag(MODEL, "champion.history", json.dumps([*past, entry][-300:]))
        client.set_registered_model_alias(MODEL, "champion", str(current.number))
        return read_version(client, current.number)


def history(root: Path, settings: TrackingSettings | None = None) -> pd.DataFrame:
    """Who served when and why: columns time (UTC), version, previous, reason; oldest first."""
    settings = settings or read_settings(root)
    past: list[dict[str, Any]] = []
    if settings.exists:
        with open_registry(settings) as client:
            if read_versions(client):
                past = json.loads(client.get_registered_model(MODEL).tags.get("champion.history", "[]"))
    return pd.DataFrame(past, columns=["time", "version", "previous", "reason"])


def record_decision(
    version: Version, decision: Decision, root: Path, settings: TrackingSettings | None = None
) -> Version:
    """Do what the gate decided: promote the version, or note on it why not."""
    if decision.promote:
        return set_champion(version, decision.reason, decision.figures, root, settings)
    with open_registry(settings or read_settings(root)) as client:
        tag_decision(client, version, "refused", decision.reason, decision.figures)
        return read_version(client, version.number)


def resolve_weights(model: str, root: Path, settings: TrackingSettings | None = None) -> Path:
    """The weights file behind ``model``: a path, ``models:/sft-dec@champion`` or ``models:/sft-dec/3``.

    Raises ``RegistryError`` where there is no such file, version or alias (naming those there are), or where
    the file is not the one that was registered.
    """
    if not model.startswith("models:"):
        path = Path(model) if Path(model).is_absolute() else root / model
        if not path.is_file():
            raise RegistryError(f"{model}: no such weights file (looked at {path}); train one with `make repro`")
        return path
    parsed = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", model)
    if not parsed:
        raise RegistryError(f"{model}: expected models:/{MODEL}@champion or models:/{MODEL}/3")
    name, alias, number = parsed.groups()
    settings = settings or read_settings(root)
    if not settings.exists:
        raise RegistryError(f"{model}: there is no registry at {settings.uri} yet; {_MEND}")
    with open_registry(settings) as client:
        known = read_versions(client, name)
        found = [v for v in known if (alias in v.aliases if alias else v.number == int(number))]
        if not found:
            listed = ", ".join(f"{v.number}" + "".join(f" @{a}" for a in v.aliases) for v in known)
            there = f"versions: {listed}" if known else "it has no version; " + _registered_names(client)
            raise RegistryError(f"{model}: not in the registry {settings.uri} ({there}); {_MEND}")
        with fluent_store(settings):
            return download_weights(client, found[0], root)


def _registered_names(client: "MlflowClient") -> str:
    names = sorted(model.name for model in client.search_registered_models())
    return f"registered models: {', '.join(names) or 'none'}"
