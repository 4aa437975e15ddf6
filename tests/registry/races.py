"""Two promotes, a register and a kill at once, round after round; and whether the history tells what happened.

What happened is written down by the database itself: a trigger notes every value that the alias ``champion`` gets, in
the transaction that sets it. The processes are forks of one that has imported everything, so that a round takes less
than a second, and each is begun, and one of them killed, at a moment that is drawn.
"""

import json
import math
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sftdec.tracking import read_settings
from tests.registry.killed import forked
from tests.registry.small import brightening

LONGEST_WAIT = 0.15  # s until a process begins
REFUSED = 3  # exit code: the registry said no in a sentence
WITNESS = """
CREATE TABLE witness (number INTEGER PRIMARY KEY, version INTEGER);
CREATE TRIGGER witness_first AFTER INSERT ON registered_model_aliases WHEN NEW.alias = 'champion'
    BEGIN INSERT INTO witness (version) VALUES (NEW.version); END;
CREATE TRIGGER witness_then AFTER UPDATE ON registered_model_aliases
    WHEN NEW.alias = 'champion' AND NEW.version <> OLD.version
    BEGIN INSERT INTO witness (version) VALUES (NEW.version); END;
"""


@dataclass
class Told:
    """What came of all rounds: ``faults`` in words, none where all went well."""

    faults: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    moves: int = 0
    rounds: int = 0


def begin(work: Callable[[], object], wait: float, log: Path) -> int:
    """Start the work in a fork, after a while; the process's number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
        time.sleep(wait)
        work()
        code = 0
    except ValueError as error:
        os.write(2, f"{error}\n".encode())
        code = REFUSED
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def prepare(folder: Path, count: int = 4) -> tuple[Path, list[Path]]:
    """A project whose registry has that many versions, the first of which serves, and their weights.

    It is made in this process, which knows all that is to be imported then, and copied: a database that this process
    has opened is none for its forks.
    """
    from sftdec.registry import promote, register
    from tests.registry.conftest import make_project, recorded

    made, root = folder / "made", folder / "played"
    for place in (made, root):
        place.mkdir()
        make_project(place)
    weights = [brightening(folder / f"{number}.safetensors", number / 50) for number in range(1, count + 1)]
    settings = read_settings(made, {})
    for file in weights:
        recorded(file, made, settings)
        register(file, None, {}, made, settings=settings)
    promote(1, "the first", made, settings)
    shutil.copy(made / "mlflow.db", root / "mlflow.db")
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.executescript(WITNESS)
    return root, weights


def rounds(root: Path, weights: Sequence[Path], count: int, seed: int = 0, seconds: float = math.inf) -> Told:
    """Play them in a project that was prepared, until there is a fault or the time is up."""
    draw, told, longest = random.Random(seed), Told(), 1.0
    deadline = time.monotonic() + seconds
    attempts = dict[str, tuple[int, int]]()  # reason → version, exit code
    for number in range(count):
        started = time.monotonic()
        codes, made = play(root, weights, number, draw, longest)
        longest = 0.9 * longest + 0.1 * (time.monotonic() - started)
        attempts |= {name: (version, codes[name]) for name, version in made.items()}
        for name, code in codes.items():
            told.ended[f"{name.lstrip('0123456789')} {_meant(code)}"] += 1
            if code not in (0, -signal.SIGKILL) and not (code == REFUSED and name in made):
                told.faults.append(f"round {number}: {name} ended with {code}")
        _, seen = forked(lambda: look(root), root / "seen.json")
        faults = compare(seen, attempts) if seen else ["nobody could read the history"]
        told.faults += [f"round {number}: {fault}" for fault in faults]
        told.rounds, told.moves = number + 1, len(seen["witness"]) if seen else 0
        if told.faults or time.monotonic() > deadline:
            break
    return told


def play(
    root: Path, weights: Sequence[Path], number: int, draw: random.Random, longest: float
) -> tuple[dict[str, int], dict[str, int]]:
    """One round; each process's exit code, and which version each of those that promote would have serve."""
    from sftdec.registry import promote, register

    pair = draw.sample(range(1, len(weights) + 1), 2)
    made = {f"{number}promote{letter}": version for letter, version in zip("AB", pair, strict=True)}
    again = draw.choice(weights)
    works: dict[str, Callable[[], object]] = {
        name: partial(promote, version, name, root) for name, version in made.items()
    }
    works[f"{number}register"] = partial(register, again, None, {}, root)
    works[f"{number}history"] = partial(read, root)
    children = {name: begin(work, draw.uniform(0, LONGEST_WAIT), root / "said.log") for name, work in works.items()}
    victim = draw.choice(list(children))
    moment = time.monotonic() + draw.uniform(0, longest)
    while time.monotonic() < moment and not all(map(_ended, children.values())):
        time.sleep(0.005)
    os.kill(children[victim], signal.SIGKILL)  # it is there until it is waited for
    return {name: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for name, child in children.items()}, made


def read(root: Path) -> None:
    """Whoever looks meanwhile sees no move that nobody made."""
    from sftdec.registry import history

    assert "moved outside" not in set(history(root)["event"])


def look(root: Path) -> dict[str, Any]:
    """What the history says, and what the database saw."""
    from sftdec.registry import history, versions

    table = history(root)
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        witness = [row[0] for row in database.execute("SELECT version FROM witness ORDER BY number")]
        champions = database.execute("SELECT count(*) FROM registered_model_aliases WHERE alias = 'champion'")
        count = champions.fetchone()[0]
    moves = json.loads(table[["event", "version", "previous", "reason"]].to_json(orient="records"))
    return {"moves": moves, "witness": witness, "champions": count, "versions": len(versions(root))}


def compare(seen: dict[str, Any], attempts: dict[str, tuple[int, int]]) -> list[str]:
    """Where the history and what the database saw differ, in words."""
    moves, first = seen["moves"], 1  # the first version served before anybody watched
    found = [f"{seen['champions']} champions"] if seen["champions"] != 1 else []
    if (listed := [move["version"] for move in moves[1:]]) != seen["witness"]:
        found.append(f"the history says {listed[-6:]}, what served is {seen['witness'][-6:]}")
    found += [f"an invented move: {move}" for move in moves if move["event"] != "promoted"]
    before = [first, *(move["version"] for move in moves[1:])]
    found += [f"{move} follows {was}" for move, was in zip(moves[1:], before, strict=False) if move["previous"] != was]
    made = Counter(move["reason"] for move in moves[1:])
    for reason, (version, code) in attempts.items():
        wanted = {0: (1,), REFUSED: (0,)}.get(code, (0, 1))
        if made[reason] not in wanted:
            found.append(f"{reason}, which {_meant(code)}, stands there {made[reason]} times")
        if any(move["version"] != version for move in moves if move["reason"] == reason):
            found.append(f"{reason} made version {version} serve, not what the history says")
    return found


def _ended(child: int) -> bool:
    """Whether it waits to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _meant(code: int) -> str:
    return {0: "went well", REFUSED: "was refused", -signal.SIGKILL: "was killed"}.get(code, "failed")
