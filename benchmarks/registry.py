"""What a year of retrainings costs: start-up, database and leftovers over many registrations.

    python benchmarks/registry.py [--versions 50] [--every 10]

Registers that many different tiny networks in a project of its own, through the register stage's service: each is
judged on twelve small photos against the champion, and every third becomes it. Prints, every so often, in seconds of
processor time: one registering with its judging (mean since the last line); a process of its own that finds the
champion's weights, of which most is Python's and MLflow's start; one that reads the history. Then the database's size,
and what lies in the temporary folder that wasn't there at the start.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIND = "from sftdec.registry import resolve_weights; resolve_weights('models:/sft-dec@champion', Path.cwd())"
READ = "from sftdec.registry import history; print(len(history(Path.cwd())))"


def seconds(code: str, folder: Path) -> float:
    """Processor time of a Python process; the better of two."""
    command = [sys.executable, "-c", f"from pathlib import Path; {code}"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    taken = []
    for _ in range(2):
        before = os.times()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        taken.append(spent)
    return min(taken)


def run(project: Path, temporary: Path, versions: int, every: int) -> None:
    """Register and print."""
    from sftdec.registry import Judge
    from tests.registry.results import rules
    from tests.registry.small import brightening, judged, make_scenes

    scenes = make_scenes(project / "scenes")
    gate = rules(allow_dirty=True)
    print(
        f"{'versions':>8} {'champion':>8} {'register s':>10} {'find s':>7} {'history s':>9} {'database KB':>11} "
        "temporary"
    )
    level, taken = 0.0, 0.0
    for number in range(1, versions + 1):
        level += 0.002
        weights = brightening(project / "weights.safetensors", level if number % 3 == 1 else level - 0.0025)
        judge = Judge(scenes, "test", "cpu", project)
        started = time.process_time()
        outcome = judged(weights, judge, gate)
        taken += time.process_time() - started
        if number == 1 or number % every == 0:
            serving = outcome.version if outcome.promoted else outcome.previous
            size = (project / "mlflow.db").stat().st_size / 1024
            since = 1 if number == 1 else every - (number == every)
            left = sorted(path.name for path in temporary.iterdir())
            found, read = seconds(FIND, project), seconds(READ, project)
            print(
                f"{number:>8} {serving:>8} {taken / since:>10.2f} {found:>7.2f} {read:>9.2f} {size:>11.0f} {left}",
                flush=True,
            )
            taken = 0.0


def main() -> None:
    """Measure in folders of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--every", type=int, default=10)
    given = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as project, tempfile.TemporaryDirectory() as temporary:
        os.environ["TMPDIR"] = tempfile.tempdir = temporary
        run(Path(project), Path(temporary), given.versions, given.every)
        tempfile.tempdir = None


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the tests' photos and weights
    main()
