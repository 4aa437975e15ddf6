"""What a year of nights costs: whole retraining flows one after another, each a process of its own.

    python benchmarks/retrainings.py [--retrainings 50] [--shown 1 10 25 50] [--stages train_s3 evaluate register]

Makes a copy of this checkout that trains for seconds, commits it, starts a Prefect server for all, and calls
`pipelines.flows.retrain` that many times, each with another rate, so that each trains, registers and is judged;
the gate lets a challenger lose up to 1 dB, so that many of them come to serve. Prints at the shown counts: processor
time (user and system, with that of all processes that the flow waited for; not the server's), the median of the last
five, in seconds; sizes in KB, with what each retraining has added since the last ones shown; versions, champions and
worktrees; and what is left in the flows' temporary folder and of processes (torch makes an empty folder there, always
the same). A line for each flow gives its own processor times and what the gate said. With `--stages` only those run
again, which costs less. The home and DVC's site cache are folders of its own, too: nothing outside is touched.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
SCENES = "coffee_ramp_a|motorcycle_far"  # the gate asks for two photos or more
LAST = 5  # flows that a median is of

# a flow as `python -m pipelines.flows.retrain` runs it, which also notes the processor time at which each task starts
FLOW = """
import json, os, sys
from pathlib import Path
from pipelines.flows import tasks
from pipelines.flows.retrain import main
begun = {}
@tasks.run_stage.on_running
def note(task, run, state):
    begun.setdefault(task.name, sum(os.times()[:4]))
try:
    main()
finally:
    Path(os.environ["BEGUN"]).write_text(json.dumps(begun))
"""


@dataclass(frozen=True)
class Place:
    """Where everything lies, all of it below one folder."""

    folder: Path
    project: Path
    environment: Mapping[str, str]

    @property
    def temporary(self) -> Path:
        """The flows' temporary folder."""
        return self.folder / "temporary"

    def sizes(self) -> dict[str, float]:
        """KB of whatever could grow."""
        inside = (".retrain", ".retrain/worktree/.tracking", ".checkpoints", "mlruns", ".git", ".dvc/cache", ".dvc/tmp")
        kept = {name: self.project / name for name in inside}
        kept |= {"DVC's site cache": self.folder / "site", "home": self.folder / "home"}
        databases = {"mlflow.db": self.project, "prefect.db": self.folder / "prefect"}
        found = {name: sum(map(size, folder.glob(f"{name}*"))) for name, folder in databases.items()}
        return found | {name: size(path) for name, path in kept.items()}


@dataclass
class Spent:
    """Processor time of each flow so far, s: until its first task, until its first stage, in all."""

    first_task: list[float] = field(default_factory=list)
    first_stage: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def size(path: Path) -> float:
    """KB of a file, or of the files of a folder that may not be there; of a link, its own."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.lstat().st_size for file in files if file.is_symlink() or not file.is_dir()) / 1024


def make_place(folder: Path) -> Place:
    """The committed project, and the environment that keeps its flows in the folder."""
    from tests.pipelines.turned_down import git, make_copy, set_params
    from tests.services.servers import base_environment

    project = make_copy(folder / "project", SCENES)
    shutil.rmtree(project / "experiments")  # DVC would read the matrices of 66 trainings with every command
    set_params(project, train__s3__learning_rate=0.001, train__s3__keep="last")  # the best may be those it began with
    set_params(project, gate__min_gain=-1.0, gate__max_loss=1.0, gate__level=0.51)
    set_params(project, compute__processes=1)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "trains for seconds")
    own = {"TMPDIR": "temporary", "HOME": "home", "DVC_SITE_CACHE_DIR": "site"}
    for name in own.values():
        (folder / name).mkdir()
    places = {key: str(folder / name) for key, name in own.items()}
    path = os.pathsep.join([str(project / "src"), str(project)])
    return Place(folder, project, base_environment(**places, PYTHONPATH=path, BEGUN=str(folder / "begun.json")))


def retrain(place: Place, number: int, stages: Sequence[str], spent: Spent) -> None:
    """One flow, which must go well."""
    command = [sys.executable, "-c", FLOW, *stages, "--set", f"train.s3.learning_rate={0.001 + number / 1e6:.6f}"]
    before = os.times()
    done = subprocess.run(command, cwd=place.project, env=dict(place.environment), capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        sys.exit(f"retraining {number} failed:\n{(done.stdout + done.stderr)[-5000:]}")
    begun = json.loads((place.folder / "begun.json").read_text())
    spent.first_task.append(min(begun.values()))
    spent.first_stage.append(min(seconds for name, seconds in begun.items() if name != "data.dvc"))
    spent.whole.append(sum(after[2:4]) - sum(before[2:4]))
    decided = json.loads((place.project / ".retrain/worktree/.tracking/gate.json").read_text())
    verdict = "promoted" if decided["promoted"] else "not promoted"
    seconds = f"{spent.first_task[-1]:.1f}, {spent.first_stage[-1]:.1f}, {spent.whole[-1]:.1f} s"
    print(f"retraining {number}: {seconds}, version {decided['version']} {verdict}", flush=True)


def serve_first(place: Place) -> None:
    """By hand, where the gate let nobody in: those that follow are to have a champion to be judged against."""
    words = ["promote", "--version", "1", "--reason", "the first one has to serve"]
    command = [sys.executable, "-m", "sftdec.cli", *words]
    subprocess.run(command, cwd=place.project, env=dict(place.environment), check=True, stdout=subprocess.DEVNULL)


def registry(place: Place) -> dict[str, int]:
    """What the database and Git hold."""
    from tests.pipelines.turned_down import git

    counts = {
        "versions": "FROM model_versions",
        "champions": "FROM registered_model_aliases WHERE alias = 'champion'",
        "moves of the champion": "FROM registered_model_tags WHERE key LIKE 'champion.move.%'",
        "MLflow runs": "FROM runs",
        "of them unfinished": "FROM runs WHERE status != 'FINISHED'",
    }
    database = sqlite3.connect(f"file:{place.project / 'mlflow.db'}?mode=ro", uri=True)
    try:
        found = {name: int(database.execute(f"SELECT count(*) {rest}").fetchone()[0]) for name, rest in counts.items()}
    finally:
        database.close()
    worktrees = git(place.project, "worktree", "list", "--porcelain").count("worktree ")
    return found | {"worktrees, with the checkout": worktrees}


def left(place: Place, server: set[int]) -> dict[str, list[str]]:
    """What no flow should leave behind."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if process.pid not in server and process.cwd().startswith(str(place.folder)):
                processes.append(" ".join(process.info["cmdline"])[:80])
        except psutil.Error:
            continue
    inside = sorted(place.temporary.rglob("*"))

    def relative(paths: Iterable[Path]) -> list[str]:
        return [str(path.relative_to(place.temporary)) for path in paths]

    return {
        "temporary folder (files)": relative(path for path in inside if not path.is_dir()),
        "temporary folder (folders)": relative(path for path in inside if path.is_dir()),
        "processes": processes,
    }


def show(number: int, spent: Spent, sizes: dict[str, float], before: dict[str, float], since: int) -> None:
    """The lines of one count; ``before`` are the sizes ``since`` retrainings ago."""
    print(f"after {number} retrainings")
    for what, seconds in (
        ("until the first task", spent.first_task),
        ("until the first stage", spent.first_stage),
        ("whole flow", spent.whole),
    ):
        print(f"  {what + ', s':30} {statistics.median(seconds[-LAST:]):10.2f}")
    for name, kilobytes in sizes.items():
        added = (kilobytes - before.get(name, 0)) / since
        print(f"  {name + ', KB':30} {kilobytes:10.0f}  {added:+.1f} a retraining")


def run(place: Place, retrainings: int, stages: Sequence[str], shown: Sequence[int], server: set[int]) -> None:
    """Retrain and print; the first one runs all stages."""
    spent, sizes, last = Spent(), dict[str, float](), 0
    for number in range(1, retrainings + 1):
        retrain(place, number, stages if number > 1 else (), spent)
        if number == 1 and not registry(place)["champions"]:
            serve_first(place)
        if number in shown or number == retrainings:
            now = place.sizes()
            show(number, spent, now, sizes, number - last)
            sizes, last = now, number
            for name, count in registry(place).items():
                print(f"  {name:30} {count:10}")
            for name, found in left(place, server).items():
                print(f"  {'left: ' + name:34} {len(found):6}  {' '.join(found[:20])}", flush=True)


def main() -> None:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retrainings", type=int, default=50)
    parser.add_argument("--stages", nargs="+", default=(), metavar="NAME", help="those of all but the first one")
    parser.add_argument("--folder", type=Path, help="an empty one to work in, which is then kept")
    parser.add_argument("--shown", type=int, nargs="+", default=[1, 10, 25, 50])
    given = parser.parse_args()
    from tests.services.servers import prefect_server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the server ends with this, too
    with nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        place = make_place(folder)
        server, address = prefect_server(folder)
        server.start()
        try:
            server.wait_for(f"{address}/api/health")
            mine = {process.pid for process in psutil.Process().children(recursive=True)}
            told = {**place.environment, "PREFECT_API_URL": f"{address}/api"}
            run(Place(folder, place.project, told), given.retrainings, given.stages, given.shown, mine)
        finally:
            server.stop()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the tests' copy of the checkout, and their server
    main()
