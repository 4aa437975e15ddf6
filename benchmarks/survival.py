"""What the registry and the nights survive: races and failures, each found by what is left on the disk.

    python benchmarks/survival.py races [--rounds 500] [--seed 0] [--minutes 30]
    python benchmarks/survival.py kills [--kills 200] [--flow] [--stages fetch patches train_s1] [--minutes 30]
    python benchmarks/survival.py writes [--cases promote register train checkout] [--most 1000]

races: two promotes, a register, a reader of the history and a `kill -9` of one of them, all at once, round after round;
a trigger in the database writes down who really served, and the history has to tell the same.

writes: the n-th write fails (ENOSPC; a flush EIO), for every n up to the last, or for ``--most`` that are drawn; an
error has to come of it, and the state before or after, and the same work again has to end as if nothing had been. A
C compiler is needed: what fails them is a library that is loaded first, in this process and all that it starts, SQLite
and Git included. It doesn't see what libc's own streams write, or a mapped file.

kills: `kill -9` of a small pipeline, of its whole process group or of one process of it, at moments that are drawn, by
`dvc repro` or (``--flow``) as Prefect's flow: the same bytes in the end as an undisturbed execution's, in a copy beside
it, nothing left, and at most a twentieth of a training taken again.

Prints a table and ends with 1 where anything was lost, invented or left. The folder is one of its own; nothing outside
is touched.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
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


def writes(folder: Path, given: argparse.Namespace) -> list[str]:
    """The n-th write fails."""
    from tests.failing import environment, every_write
    from tests.failing_cases import cases

    if "FAILING_PLAN" not in os.environ:  # once more, with the library
        command = [sys.executable, *sys.argv, "--folder", str(folder)]
        (folder / "place").mkdir()
        return (
            ["see above"]
            if subprocess.run(command, env=os.environ | environment(folder, folder / "place")).returncode
            else []
        )
    faults = []
    print(f"{'case':<10}{'writes':>8}{'failed':>8}  what came of it")
    for case in cases(folder / "place", given.cases):
        told = every_write(case, given.most, given.seed)
        ended = "; ".join(f"{count} {how}" for how, count in sorted(told.ended.items()))
        print(f"{told.name:<10}{told.writes:>8}{told.failed:>8}  {ended}", flush=True)
        faults += told.faults
    return faults


def kills(folder: Path, given: argparse.Namespace) -> list[str]:
    """A pipeline killed again and again, beside one that is left alone."""
    from tests.kills import kill_often, prepare, results, served

    found, seconds = [], 0.0
    with served(folder) if given.flow else nullcontext({}) as more:
        for name, count in (("undisturbed", 0), ("killed", given.kills)):
            (folder / name).mkdir()
            project = prepare(folder / name)
            asked = (project, count, given.flow, given.stages, more)
            told = kill_often(*asked, seconds, given.seed, given.minutes * 60)
            kinds = ", ".join(f"{number} of {how}" for how, number in sorted(told.kills.items())) or "none"
            print(f"{name}: {sum(told.kills.values())} kills ({kinds}); {told.ends} executions ended in between")
            for place, number in sorted(told.places.items()):
                print(f"  {place:<24} {number:>6}", flush=True)
            if told.faults:
                return [*told.faults, (folder / name / "said.log").read_text(errors="replace")[-3000:]]
            found.append(results(project, given.flow))
            seconds = told.seconds
    print(f"at most {told.lost:.1%} of a training was lost by one; {len(found[0])} outs compared")
    return [f"{out} is another" for out, md5 in found[0].items() if found[1].get(out) != md5]


SECTIONS = {"races": races, "writes": writes, "kills": kills}


def main() -> None:
    """Run a section in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--cases", nargs="+", default=["promote", "register", "train", "checkout"])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--flow", action="store_true")
    parser.add_argument("--stages", nargs="*", default=["fetch", "patches", "train_s1"])
    parser.add_argument("--most", type=int, default=1000, help="writes of a case that are failed")
    parser.add_argument("--folder", type=Path, help="an empty one to work in, which is then kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, and say how far that was")
    given = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if given.section == "writes":
        os.environ["SFTDEC_TRACKING"] = "off"
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    with nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as folder:
        faults = SECTIONS[given.section](Path(folder), given)
    print("\n".join(faults) or "no fault")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the tests' projects
    main()
