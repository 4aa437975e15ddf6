"""Moves of the alias ``champion``: each is written down before it happens, and completed after a crash.

A move is a tag of its own on the registered model, ``champion.move.<UTC time>-v<version>``, since a tag's value holds
5,000 characters in MLflow's tables (SQLite lets more through, PostgreSQL doesn't). It is made in four steps: the tag
(``begun``), the alias, which MLflow sets in one transaction, the version's own tags, and the tag again (``done``).
Each names the one that it follows, so that their order is that of what happened, whatever the clock says.
Whatever step a process dies before, one version serves, and whether a begun move happened can be told from the alias
or, if another followed, from where that one came from; the next move completes it or strikes it out. Whoever writes
here has the turn (``own_turn``): of two that move at once neither could tell what it moved the alias from.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Literal

from sftdec.registry.store import MODEL, RegistryError, Version, find_version, now, tag_decision

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "champion.move."
FORMER = "champion.history"  # one JSON list of at most 300, as earlier releases wrote it
LONGEST_TAG = 5000  # characters
LONGEST_REASON = 3000  # of them
UNRECORDED = "unknown"

Event = Literal["promoted", "rebased", "refused", "registered", "moved outside"]


@dataclass(frozen=True)
class Move:
    """One line of the history; ``time`` in UTC, ``run`` an MLflow run id, ``previous`` what served before."""

    time: str
    version: int | None
    previous: int | None
    by: str
    reason: str
    event: Event = "promoted"
    run: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    begun: bool = False  # and not known to have ended
    follows: str | None = None  # the key of the move before

    @property
    def key(self) -> str:
        """The tag it is kept in; in the order of time, and its own even where two machines move at once."""
        digits = "".join(character for character in self.time if character not in "-:").partition("+")[0]
        return f"{PREFIX}{digits}Z-v{self.version}"

    @property
    def tags(self) -> dict[str, str]:
        """What the version says of it (below ``gate.``)."""
        named = {"decision": self.event, "reason": self.reason, "time": self.time, "by": self.by}
        named |= {"run": self.run} if self.run else {}
        return named | ({"figures": _figures_told(self.figures)} if self.figures else {})


def serving(client: "MlflowClient") -> int | None:
    """The number of the version that serves."""
    found = find_version(client, "champion")
    return found.number if found else None


def read_moves(client: "MlflowClient") -> list[Move]:
    """All that is written down, in the order of what follows what, whether it happened or not."""
    found = list(client.search_registered_models(f"name = '{MODEL}'"))
    tags: Mapping[str, str] = found[0].tags if found else {}
    former = [Move(**{"by": UNRECORDED, **_known(entry)}) for entry in json.loads(tags.get(FORMER, "[]"))]
    return former + _in_turn([Move(**_known(json.loads(tags[key]))) for key in sorted(tags) if key.startswith(PREFIX)])


def _in_turn(moves: Sequence[Move]) -> list[Move]:
    """Each after the one that it follows; else, and of earlier releases, by the clock."""
    keys, placed = {move.key for move in moves}, dict[int, Move]()
    free, after = list[int](), defaultdict[str | None, list[int]](list)
    for number, move in enumerate(moves):
        (after[move.follows] if move.follows in keys else free).append(number)
    while len(placed) < len(moves):
        number = heappop(free) if free else next(each for each in range(len(moves)) if each not in placed)
        placed[number] = moves[number]
        for follower in after.pop(moves[number].key, []):
            if follower not in placed:
                heappush(free, follower)
    return list(placed.values())


def read_settled(client: "MlflowClient") -> list[Move]:
    """The moves that took place, ``happened``, while somebody else may be moving the champion."""
    while True:
        before, moves = serving(client), read_moves(client)
        if serving(client) == before:
            return happened(moves, before)


def following(client: "MlflowClient", move: Move) -> Move:
    """The move as the next one, with a key of its own even where the clock stands still or was set back."""
    moves = read_moves(client)
    taken = {each.key for each in moves}
    while move.key in taken:
        later = datetime.fromisoformat(move.time) + timedelta(milliseconds=1)
        move = replace(move, time=later.isoformat(timespec="milliseconds"))
    return replace(move, follows=moves[-1].key if moves else None)


def happened(moves: Sequence[Move], current: int | None) -> list[Move]:
    """The moves that took place, given what serves now; those made outside (in MLflow's own UI, say) are added."""
    kept: list[Move] = []
    for number, move in enumerate(moves):
        after = moves[number + 1].previous if number + 1 < len(moves) else current
        if move.begun and after != move.version:
            continue
        before = kept[-1].version if kept else None
        if move.previous != before:
            kept.append(_outside(move.previous, before, f"before {move.time}"))
        kept.append(replace(move, begun=False))
    before = kept[-1].version if kept else None
    if current != before:
        kept.append(_outside(current, before, "since"))
    return kept


def settle(client: "MlflowClient") -> None:
    """Complete the moves that a process began and didn't end; strike out those that it didn't get to make."""
    moves, current = read_moves(client), serving(client)
    made = {move.key for move in happened(moves, current)}
    for move in moves:
        if move.begun and move.key in made:
            _finish(client, move)
        elif move.begun:
            client.delete_registered_model_tag(MODEL, move.key)


def move_champion(
    client: "MlflowClient", version: Version, move: Move, expected: int | Literal["any"] | None = "any"
) -> None:
    """Let ``version`` serve as ``move`` tells; its ``previous`` is filled in here.

    Raises ``RegistryError`` where it serves already, or another than ``expected`` does.
    """
    settle(client)
    current = serving(client)
    if current == version.number:
        raise RegistryError(f"{version.uri} already serves")
    if expected not in ("any", current):
        raise RegistryError(
            f"{version.uri} was judged against version {expected}, but version {current} serves by now; "
            "judge it again: dvc repro -f register"
        )
    begun = following(client, replace(move, version=version.number, previous=current, begun=True))
    write_move(client, begun)
    client.set_registered_model_alias(MODEL, "champion", str(version.number))
    _finish(client, begun)


def write_move(client: "MlflowClient", move: Move) -> None:
    """Write a move down, over what was there of it; without its figures where those of many data sets don't fit."""
    text = json.dumps(asdict(move), ensure_ascii=False)
    if len(text) > LONGEST_TAG:  # the version's own tags have them
        text = json.dumps(asdict(move) | {"figures": {}}, ensure_ascii=False)
    client.set_registered_model_tag(MODEL, move.key, text)


def decided(event: Event, version: int, reason: str, by: str, **more: Any) -> Move:
    """A line of the history for now."""
    return Move(now(), version, None, by, reason[:LONGEST_REASON], event, **more)


def _finish(client: "MlflowClient", move: Move) -> None:
    version = find_version(client, move.version) if move.version is not None else None
    if version is not None:
        tag_decision(client, version, move.tags)
    write_move(client, replace(move, begun=False))


def _figures_told(figures: Mapping[str, float]) -> str:
    """Figures as one tag has room for them; of too many data sets the first."""
    told = ", ".join(f"{name} {value:g}" for name, value in figures.items())
    return told if len(told) <= LONGEST_TAG else told[:LONGEST_TAG].rpartition(", ")[0]


def figures_read(told: str) -> dict[str, float]:
    """The figures of such a tag."""
    pairs = (pair.rpartition(" ") for pair in told.split(", ") if pair)
    return {name: float(value) for name, _, value in pairs}


def _outside(version: int | None, previous: int | None, when: str) -> Move:
    reason = f"the alias was moved {when} by something that writes nothing down, such as MLflow's UI"
    return Move("", version, previous, UNRECORDED, reason, "moved outside")


def _known(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entry that this release has."""
    return {key: value for key, value in entry.items() if key in Move.__dataclass_fields__}
