"""The model registry: verified versions, the gate between them, and the weights they stand for."""

from sftdec.registry.gate import Decision, decide
from sftdec.registry.store import MODEL, RegistryError, Version
from sftdec.registry.versions import (
    champion,
    history,
    record_decision,
    register,
    resolve_weights,
    set_champion,
    versions,
)

__all__ = [
    "MODEL",
    "Decision",
    "RegistryError",
    "Version",
    "champion",
    "decide",
    "history",
    "record_decision",
    "register",
    "resolve_weights",
    "set_champion",
    "versions",
]
