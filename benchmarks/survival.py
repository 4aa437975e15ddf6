"""What the registry and the nights survive: races and failures, each found by what is left on the disk.

    python benchmarks/survival.py races [--rounds 500] [--seed 0] [--minutes 30]

races: two promotes, a register, a reader of the history and a `kill -9` of one of them, all at once, round after round;
a trigger in the database writes down who really served, and the history has to tell the same.

Prints a table and ends with 1 where anything was lost, invented or left. The folder is one of its own; nothing outside
is touched.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def races(folder: Path, given: argparse.Namespace) -> list[str]:
    """The registry raced for."""
    from tests.registry.races import prepare, rounds

    root, weights = prepare(folder)
    started = time.monotonic()
    told = rounds(root, weights, given.rounds, given.seed, given.minutes * 60)
    seconds = (time.monotonic() - started) / max(told.rounds, 1)
    print(f"{told.rounds} rounds of {seconds:.2f} s, {told.moves} moves of the champion")
    for name, count in sorted(told.ended.items()):
        print(f"  {name:<24} {count:>6}")
    return told.faults


SECTIONS = {"races": races}


def main() -> None:
    """Run a section in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, and say how far that was")
    given = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder:
        faults = SECTIONS[given.section](Path(folder), given)
    print("\n".join(faults) or "no fault")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the tests' projects
    main()
