from .gate import Decision, decide
from .judging import Judge, Refusal, incomparable
from .model_versions import (
    UnservableError,
    champion,
    record_decision,
    register,
    resolve_weights,
    set_champion,
    versions,
)
from .names import (
    CHAMPION,
    DEFAULT_MODEL,
    Chosen,
    choose_model,
    default_version,
    find_weights,
    load_any_model,
    load_model,
    released,
)
from .promotion import Outcome, promote, rebase, register_and_judge, register_shipped
from .reproduction import find_version, reproduce
from .service_history import history
from .shipped import beats_shipped
from .store import MODEL, SCENES_TAG, ArtifactError, RegistryError, Version

__all__ = [
    "CHAMPION",
    "DEFAULT_MODEL",
    "MODEL",
    "SCENES_TAG",
    "ArtifactError",
    "Chosen",
    "Decision",
    "Judge",
    "Outcome",
    "Refusal",
    "RegistryError",
    "UnservableError",
    "Version",
    "beats_shipped",
    "champion",
    "choose_model",
    "decide",
    "default_version",
    "find_version",
    "find_weights",
    "history",
    "incomparable",
    "load_any_model",
    "load_model",
    "promote",
    "rebase",
    "record_decision",
    "register",
    "register_and_judge",
    "register_shipped",
    "released",
    "reproduce",
    "resolve_weights",
    "set_champion",
    "versions",
]
