"""Who served when, and why: the registry's story as a table."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sftdec.registry.moves import UNRECORDED, Move, figures_read, read_settled
from sftdec.registry.store import Version, open_registry, read_versions
from sftdec.tracking import TrackingSettings, read_settings

COLUMNS = ["time", "event", "version", "previous", "by", "run", "reason", "figures"]


def history(root: Path, settings: TrackingSettings | None = None, everything: bool = False) -> pd.DataFrame:
    """Every move of the alias ``champion``, oldest first: columns ``COLUMNS``, time in UTC, run an MLflow run id.

    ``event`` is ``promoted``, ``rebased`` (measured anew, the alias stays) or ``moved outside`` (by something that
    wrote nothing down, so without a time). With ``everything`` also each version's registering (``registered``, when
    it became the challenger) and what the gate ``refused`` and why. Nothing is changed; a move that a crash
    interrupted is told as the alias says it ended.
    """
    settings = settings or read_settings(root)
    moves: list[Move] = []
    if settings.exists:
        with open_registry(settings) as client:
            moves = read_settled(client)
            if everything:
                moves = _in_order(moves, _of_versions(read_versions(client)))
    rows = [{**{f.name: getattr(move, f.name) for f in fields(move)}, "figures": dict(move.figures)} for move in moves]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"version": "Int64", "previous": "Int64"})


def _of_versions(versions: Sequence[Version]) -> list[Move]:
    """What the versions' tags tell of those that didn't come to serve."""
    told: list[Move] = []
    for version in versions:
        made = datetime.fromtimestamp(version.created / 1000, UTC).isoformat(timespec="milliseconds")
        told.append(Move(made, version.number, None, "register", "", "registered", version.run_id))
        if version.tags.get("gate.decision") == "refused":
            tags = {key.removeprefix("gate."): value for key, value in version.tags.items() if key.startswith("gate.")}
            words = ("decision", "reason", "time", "by", "run", "figures")
            numbers = {key: float(value) for key, value in tags.items() if key not in words}  # of earlier releases
            numbers |= figures_read(tags.get("figures", ""))
            when, reason, by = tags.get("time", made), tags.get("reason", ""), tags.get("by", UNRECORDED)
            told.append(Move(when, version.number, None, by, reason, "refused", tags.get("run"), numbers))
    return told


def _in_order(moves: Sequence[Move], others: Sequence[Move]) -> list[Move]:
    """Both by time, but the moves in their own order, and a version's registering before it comes to serve."""
    placed, waiting = list[Move](), list(others)
    for move in moves:
        moment = datetime.fromisoformat(move.time) if move.time else datetime.min.replace(tzinfo=UTC)
        for other in list(waiting):
            needed = other.event == "registered" and other.version == move.version
            if needed or datetime.fromisoformat(other.time) <= moment:
                placed.append(other)
                waiting.remove(other)
        placed.append(move)
    return placed + waiting
