from .locks import clear_dead_locks
from .processes import background
from .stages import (
    LAST_LINES,
    StageFailed,
    StageResult,
    reproduce,
    stage_graph,
    stage_items,
    stage_order,
    up_to_date,
    with_makers,
)

__all__ = [
    "LAST_LINES",
    "StageFailed",
    "StageResult",
    "background",
    "clear_dead_locks",
    "reproduce",
    "stage_graph",
    "stage_items",
    "stage_order",
    "up_to_date",
    "with_makers",
]
