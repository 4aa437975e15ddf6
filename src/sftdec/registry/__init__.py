"""The model registry: verified versions, the gate between them, and the weights they stand for."""

from sftdec.registry.gate import Decision, decide
from sftdec.registry.history import history
from sftdec.registry.judging import Judge, Refusal
from sftdec.registry.promotion import Outcome, promote, rebase, register_and_judge
from sftdec.registry.store import MODEL, ArtifactError, RegistryError, Version
from sftdec.registry.versions import (
    UnservableError,
    champion,
    record_decision,
    register,
    resolve_weights,
    set_champion,
    versions,
)

__all__ = [
    "MODEL",
    "ArtifactError",
    "Decision",
    "Judge",
    "Outcome",
    "Refusal",
    "RegistryError",
    "UnservableError",
    "Version",
    "champion",
    "decide",
    "history",
    "promote",
    "rebase",
    "record_decision",
    "register",
    "register_and_judge",
    "resolve_weights",
    "set_champion",
    "versions",
]
