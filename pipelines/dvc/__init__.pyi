from .experiments import show_experiment
from .locks import clear_dead_locks
from .processes import background
from .stages import (
    LAST_LINES,
    StageFailed,
    StageResult,
    reproduce,
    up_to_date,
)

__all__ = [
    "LAST_LINES",
    "StageFailed",
    "StageResult",
    "background",
    "clear_dead_locks",
    "reproduce",
    "show_experiment",
    "up_to_date",
]
