"""The n-th write fails, for every n up to the last: how each is made to fail, and what has to be there afterwards.

The calls are those of libc that `failing_writes.c` stands in front of, in this process's forks and all that they
start. A case is played so: its place is as it was before, a fork does the work with the n-th write failing, another
looks, and a third does the work again, undisturbed.
"""

import os
import random
import signal
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.registry.killed import forked

SOURCE = Path(__file__).with_name("failing_writes.c")
SAID, CRASHED = "an error, in a sentence", "another error"
NEVER = 10**9


@dataclass(frozen=True)
class Case:
    """``reset`` puts the place into its state before; ``look`` tells, as JSON, what there is to see of it."""

    name: str
    reset: Callable[[], object]
    work: Callable[[], object]
    look: Callable[[], Any]
    left: Callable[[], Sequence[str]] = lambda: ()  # what nobody should leave behind, once it was done again


@dataclass
class Told:
    """What came of a case: its writes, those that were made to fail, and how the work then ended."""

    name: str
    writes: int = 0
    failed: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def environment(folder: Path, place: Path) -> dict[str, str]:
    """What a process has to start with for writes below ``place`` to be failed; ``folder`` keeps what it takes."""
    library, plan = folder / "failing_writes.so", folder / "failing.plan"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    plan.write_bytes(struct.pack("ll", 0, 0))
    return {"LD_PRELOAD": str(library), "FAILING_PLAN": str(plan), "FAILING_FOLDER": f"{place}/"}


def arm(number: int) -> int:
    """Have the ``number``-th write from now on fail; how many there have been since it was called last."""
    with Path(os.environ["FAILING_PLAN"]).open("r+b", buffering=0) as plan:
        written = struct.unpack("ll", plan.read(16))[1]
        plan.seek(0)
        plan.write(struct.pack("ll", number, 0))
    return int(written)


def every_write(case: Case, most: int, seed: int = 0) -> Told:
    """Play a case for each of its writes, or for ``most`` of them that are drawn."""
    told, answer = Told(case.name), Path(os.environ["FAILING_PLAN"]).with_name("answer.json")

    def look() -> Any:
        return forked(case.look, answer)[1]

    case.reset()
    before = look()
    arm(NEVER)
    ended = _worked(case.work)
    told.writes = arm(0)
    after = look()
    if ended != "well" or before == after:
        told.faults.append(f"undisturbed it ended {ended} with {after}")
        return told
    numbers = range(1, told.writes + 1)
    if told.writes > most:
        numbers = sorted(random.Random(seed).sample(numbers, most))  # type: ignore[assignment]
    for number in numbers:
        case.reset()
        arm(number)
        ended = _worked(case.work)
        arm(0)
        seen = look()
        again = _worked(case.work)
        finally_ = look()
        told.failed += 1
        told.ended[f"{ended}, as {'after' if seen == after else 'before'}"] += 1
        found = [f"it ended with {ended}"] if ended not in ("well", SAID) else []
        if seen not in ([after] if ended == "well" else [before, after]):
            found.append(f"it ended {ended}, and there is {seen}")
        if finally_ != after:
            found.append(f"done again ({again}), there is {finally_}, not {after}")
        found += [f"left: {each}" for each in case.left()]
        told.faults += [f"{case.name}, write {number} of {told.writes}: {fault}" for fault in found]
    return told


def _worked(work: Callable[[], object]) -> str:
    """How the work ended in a fork, all of whose group is gone then."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 3
        try:
            os.setpgid(0, 0)
            work()
            code = 0
        except (ValueError, OSError) as error:  # what a stage ends with one sentence for
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            code = 2
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return {0: "well", 2: SAID}.get(code, CRASHED)
