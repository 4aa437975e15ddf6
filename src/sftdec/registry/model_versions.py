"""The registered model ``sft-dec``: what is registered, what serves and why, and whose weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sftdec.builtin import NAME as BUILTIN
from sftdec.builtin import builtin_weights
from sftdec.lineage import flatten
from sftdec.registry.download import download_weights
from sftdec.registry.gate import Decision
from sftdec.registry.moves import decided, move_champion, read_moves, settle
from sftdec.registry.package import create_version, log_figures, verify
from sftdec.registry.store import (
    MODEL,
    ORIGIN,
    SCENES_TAG,
    ArtifactError,
    RegistryError,
    Version,
    find_version,
    open_registry,
    read_version,
    read_versions,
    tag_decision,
    tag_version,
)
from sftdec.registry.turn import own_turn
from sftdec.runtime import checksum
from sftdec.tracking import CHANGED, MADE_BY, TrackingSettings, fluent_store, origin_of, read_settings
from sftdec.version import __version__

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MEND = "run `make repro`, or `dvc repro -f register` where it has run, to make one, or give a weights file (--model)"


class UnservableError(RegistryError):
    """A version that doesn't give what its network gives; it is tagged ``broken`` and got no alias."""

    def __init__(self, message: str, version: Version) -> None:
        super().__init__(message)
        self.version = version


def register(
    weights: Path,
    run_id: str | None,
    metrics: Mapping[str, Any],
    root: Path,
    tags: Mapping[str, str] | None = None,
    settings: TrackingSettings | None = None,
) -> Version:
    """Make ``weights`` a version with the alias ``challenger``; weights that have a version keep theirs.

    The version is loaded back and compared with the network before it gets the alias. Its run and its lineage are those
    of the run which made the weights, found by their checksum, not of the checkout at ``root``; where none is known,
    its run is ``run_id``. One that no clean commit is known to give is tagged ``unreproducible``, until one is. Figures
    (``metrics`` and ``tags``) are those of the last registering, but a champion's stay: only ``rebase`` changes them.
    Raises ``UnservableError`` where it does not load or gives something else, ``RegistryError`` where the registry is
    away.
    """
    settings = settings or read_settings(root)
    digest = checksum(weights)
    figures = {f"metric.{key}": value for key, value in flatten(metrics).items()} | dict(tags or {})
    with open_registry(settings) as client:
        if client.search_registered_models(f"name = '{MODEL}'"):
            with own_turn(client, settings):
                settle(client)
        origin = _origin(root, digest, settings)
        version = _unchanged(client, digest, root, settings)
        if version is None:
            described = {**origin, **figures, "weights_sha256": digest}
            maker = origin.get(MADE_BY)
            source = maker if maker and client.get_run(maker).info.lifecycle_stage == "active" else run_id
            with fluent_store(settings):
                version = create_version(client, settings, weights, source, described)
        else:
            _tell_again(client, version, figures, origin)
        if "champion" not in version.aliases:
            log_figures(client, version, metrics, (tags or {}).get(SCENES_TAG, ""))
        try:
            with fluent_store(settings):
                verify(version, weights)
        except Exception as error:
            client.set_model_version_tag(MODEL, str(version.number), "broken", str(error)[:1000])
            raise UnservableError(
                f"{version.uri} does not give what {weights} gives ({error}); it got no alias and is tagged "
                "`broken`: mend the cause and register again",
                version,
            ) from error
        tag_version(client, version, {"verified": "true"})
        client.set_registered_model_alias(MODEL, "challenger", str(version.number))
        return read_version(client, version.number)


def _unchanged(client: "MlflowClient", digest: str, root: Path, settings: TrackingSettings) -> Version | None:
    """The last version of these weights whose file is as it was; those whose file isn't are tagged ``broken``."""
    for version in reversed(read_versions(client)):
        if version.tags.get("weights_sha256") != digest or "broken" in version.tags:
            continue
        try:
            with fluent_store(settings):
                download_weights(client, version, root)
        except ArtifactError as error:
            tag_version(client, version, {"broken": str(error)[:1000]})
        else:
            return version
    return None


def _origin(root: Path, digest: str, settings: TrackingSettings) -> dict[str, str]:
    """What weights of this SHA-256 were made of: the run that made them, but for those that ship with a release."""
    if digest == checksum(builtin_weights()):
        return {ORIGIN: f"{BUILTIN} of sftdec {__version__}; its MODEL_CARD.md says how it came about"}
    return origin_of(digest, root, settings)


def _tell_again(
    client: "MlflowClient", version: Version, figures: Mapping[str, str], origin: Mapping[str, str]
) -> None:
    """Bring the tags of a version that is registered once more up to date."""
    if version.unreproducible and CHANGED not in origin:  # trained again, or committed since
        tag_version(client, version, origin)
        for tag in (CHANGED, "git.doubt"):
            if tag in version.tags:
                client.delete_model_version_tag(MODEL, str(version.number), tag)
    if "champion" not in version.aliases:
        tag_version(client, version, figures)


def versions(root: Path, settings: TrackingSettings | None = None) -> list[Version]:
    """All versions, oldest first; empty where nothing was registered yet."""
    settings = settings or read_settings(root)
    if not settings.exists:
        return []
    with open_registry(settings) as client:
        return read_versions(client)


def champion(root: Path, settings: TrackingSettings | None = None) -> Version | None:
    """The version that serves, None before the first promotion."""
    settings = settings or read_settings(root)
    if not settings.exists:
        return None
    with open_registry(settings) as client:
        return find_version(client, "champion")


def set_champion(
    version: Version,
    reason: str,
    figures: Mapping[str, float],
    root: Path,
    settings: TrackingSettings | None = None,
    *,
    by: str = "person",
    run_id: str | None = None,
    allow_dirty: bool = False,
    expected: int | Literal["any"] | None = "any",
) -> Version:
    """Let ``version`` serve, and write down why (tags ``gate.…`` and the model's history).

    Raises ``RegistryError`` for a version that was never verified, is broken, is unreproducible (unless
    ``allow_dirty``), whose file is missing or was changed, or that serves already; and where another than ``expected``
    serves.
    """
    settings = settings or read_settings(root)
    with open_registry(settings) as client:
        current = read_version(client, version.number)
        if "broken" in current.tags:
            raise RegistryError(f"{current.uri} is broken, so it can't serve ({current.tags['broken']})")
        if current.tags.get("verified") != "true":
            raise RegistryError(f"{current.uri} was not verified, so it can't serve; register its weights again")
        if current.unreproducible and not allow_dirty:
            raise RegistryError(
                f"{current.uri} can't be rebuilt ({current.unreproducible}), so it can't serve; commit and run `dvc "
                "repro -f register`, or allow it (gate.allow_dirty in params.yaml, `sftdec promote --allow-dirty`)"
            )
        with fluent_store(settings):
            download_weights(client, current, root)
        move = decided("promoted", current.number, reason, by, run=run_id, figures=figures)
        with own_turn(client, settings):
            move_champion(client, current, move, expected)
        return read_version(client, current.number)


def record_decision(
    version: Version,
    decision: Decision,
    root: Path,
    settings: TrackingSettings | None = None,
    *,
    run_id: str | None = None,
    allow_dirty: bool = False,
    expected: int | Literal["any"] | None = "any",
) -> Version:
    """Do what the gate decided: promote the version, or note on it why not. As ``set_champion`` otherwise."""
    settings = settings or read_settings(root)
    if decision.promote:
        return set_champion(
            version,
            decision.reason,
            decision.figures,
            root,
            settings,
            by="gate",
            run_id=run_id,
            allow_dirty=allow_dirty,
            expected=expected,
        )
    with open_registry(settings) as client:
        move = decided("refused", version.number, decision.reason, "gate", run=run_id, figures=decision.figures)
        tag_decision(client, read_version(client, version.number), move.tags)
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
        raise RegistryError(f"{model}: there is no registry at {settings.shown} yet; {_MEND}")
    with open_registry(settings) as client:
        found = find_version(client, alias or int(number), name)
        if found is None:
            known = read_versions(client, name)
            listed = ", ".join(f"{v.number}" + "".join(f" @{a}" for a in v.aliases) for v in known)
            there = f"versions: {listed}" if known else "it has no version; " + _registered_names(client)
            raise RegistryError(f"{model}: not in the registry {settings.shown} ({there}); {_MEND}")
        try:
            with fluent_store(settings):
                return download_weights(client, found, root)
        except ArtifactError as error:
            if alias != "champion":
                raise
            before = [move.previous for move in read_moves(client) if move.version == found.number and move.previous]
            way = f"version {before[-1]} served before it" if before else "no version served before it"
            back = before[-1] if before else "N"
            raise ArtifactError(
                f"{error}; {way}: `sftdec promote --version {back} --reason …` lets it serve"
            ) from error


def _registered_names(client: "MlflowClient") -> str:
    names = sorted(model.name for model in client.search_registered_models())
    return f"registered models: {', '.join(names) or 'none'}"
