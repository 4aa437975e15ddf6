"""DVC's stages one at a time, each in a process group that ends with whoever runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import psutil
import yaml

GRACE_SECONDS = 10.0
LAST_LINES = 15
DVC_LINES = re.compile(r"Running stage |> |(Generating|Updating) lock file |Use `dvc push`|Verifying data ")


class StageFailed(RuntimeError):
    """A stage ended with an error; the message has its name, its exit code and its last lines."""


@dataclass(frozen=True)
class StageResult:
    """How one stage went: seconds of wall time, and the last lines that the stage itself wrote."""

    stage: str
    outcome: Literal["ran", "restored", "unchanged"]
    seconds: float
    last_lines: tuple[str, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether the stage's command ran; a result that DVC took from its cache is not a run."""
        return self.outcome == "ran"


def stage_order(root: Path) -> list[str]:
    """Names of the stages in root's dvc.yaml, each after those whose outs it reads.

    Raises:
        ValueError: dvc.yaml is missing or has no stages, or its stages wait for each other in a circle.
    """
    path = root / "dvc.yaml"
    stages = (yaml.safe_load(path.read_text("utf-8")) or {}).get("stages") if path.is_file() else None
    if not stages:
        raise ValueError(f"{path}: found no stages; the flow needs the root of a DVC project")
    bodies = {name: stage.get("do", stage) for name, stage in stages.items()}
    made = {name: [out for key in ("outs", "metrics", "plots") for out in _paths(body.get(key))]
            for name, body in bodies.items()}  # fmt: skip
    order = TopologicalSorter[str]()
    for name, body in bodies.items():
        read = _paths(body.get("deps"))
        order.add(name, *(maker for maker in made if maker != name and _overlap(made[maker], read)))
    return list(order.static_order())


def _paths(entries: Sequence[str | Mapping[str, Any]] | None) -> list[PurePosixPath]:
    """The paths of a deps or outs list, whose entries are a path or {path: options}."""
    names = (entry if isinstance(entry, str) else next(iter(entry)) for entry in entries or ())
    return [PurePosixPath(name) for name in names]


def _overlap(outs: Sequence[PurePosixPath], deps: Sequence[PurePosixPath]) -> bool:
    """Whether one of outs is, holds or lies in one of deps."""
    return any(dep.is_relative_to(out) or out.is_relative_to(dep) for out in outs for dep in deps)


def reproduce(stage: str, root: Path, log: Callable[[str], None], pipeline_run: str | None = None) -> StageResult:
    """Has DVC bring one stage (or .dvc file) up to date, without those before or after it.

    Args:
        stage: the name in dvc.yaml, or of a .dvc file.
        root: the DVC project.
        log: called with each line of output as it comes.
        pipeline_run: MLflow run of the whole execution, handed on in SFTDEC_PIPELINE_RUN.

    Raises:
        StageFailed: the stage failed, or another DVC process holds its files.
    """
    started = time.monotonic()
    lines = run_dvc(["repro", "--single-item", stage], root, log, pipeline_run)
    name = rf"'{re.escape(stage)}(@[^']*)?'"  # a matrix stage shows as name@item
    ran = re.compile(rf"(Running stage|Verifying data sources in stage:) {name}")
    restored = re.compile(rf"Stage {name} is cached - skipping run")
    outcome: Literal["ran", "restored", "unchanged"] = "unchanged"
    if any(ran.match(line) for line in lines):
        outcome = "ran"
    elif any(restored.match(line) for line in lines):
        outcome = "restored"
    own = [line for line in lines if outcome == "ran" and not DVC_LINES.match(line)]
    return StageResult(stage, outcome, time.monotonic() - started, tuple(own[-LAST_LINES:]))


def up_to_date(stages: Sequence[str], root: Path, log: Callable[[str], None]) -> bool:
    """Whether DVC finds nothing to do for stages; what it does find, and why, goes to log."""
    return "Data and pipelines are up to date." in run_dvc(["status", *stages], root, log)


def run_dvc(
    arguments: Sequence[str], root: Path, log: Callable[[str], None], pipeline_run: str | None = None
) -> list[str]:
    """Runs `dvc ARGUMENTS` in root, hands each line of its output to log as it comes, returns them all.

    Raises:
        StageFailed: DVC ended with an error.
    """
    environment = dict(os.environ, PYTHONUNBUFFERED="1")  # lines come when they are written, not in blocks
    interpreter = str(Path(sys.executable).parent)  # the `python` of dvc.yaml
    environment["PATH"] = os.pathsep.join([interpreter, os.environ.get("PATH", os.defpath)])
    if pipeline_run:
        environment["SFTDEC_PIPELINE_RUN"] = pipeline_run
    lines: list[str] = []
    with _own_session([sys.executable, "-m", "dvc", *arguments], root, environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.rstrip():
                lines.append(text)
                log(text)
    if process.returncode:
        raise StageFailed(_explanation(arguments, process.returncode, lines, root))
    return lines


def _explanation(arguments: Sequence[str], code: int, lines: Sequence[str], root: Path) -> str:
    """The sentence for a DVC command that ended with code after writing lines."""
    what = f"stage '{arguments[-1]}'" if arguments[0] == "repro" else f"`dvc {arguments[0]}`"
    output = "\n".join(lines)
    if "is busy, it is being blocked by" in output or "Unable to acquire lock" in output:
        holders = ", ".join(re.findall(r"PID \d+", output)) or "unknown"
        return (
            f"{what}: another DVC command (process: {holders}) is at work in {root}, and a checkout "
            "takes one at a time. Wait until it ends, then run the flow again."
        )
    if stage_code := re.search(r"exited with (-?\d+)$", output, re.MULTILINE):
        code = int(stage_code.group(1))  # DVC's own is 255 whatever the stage's was
    ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return f"{what} {ended}; its last lines:\n" + "\n".join(lines[-LAST_LINES:])


@contextmanager
def _own_session(
    command: Sequence[str], root: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """A process in a session of its own that does not outlive an exception or a cancellation."""
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
        process.wait()
    except BaseException:  # a cancellation is no Exception
        _end_group(process)
        raise
    finally:
        if process.stdout:
            process.stdout.close()


def _end_group(process: "subprocess.Popen[str]") -> None:
    """Ends a session's leader and all of its group: SIGTERM, then SIGKILL for what is left."""
    try:
        _signal_group(process.pid, signal.SIGTERM)
        _await_group(process.pid, GRACE_SECONDS)
    finally:  # a second Ctrl+C ends the waiting, not the killing
        _signal_group(process.pid, signal.SIGKILL)
        _await_group(process.pid, GRACE_SECONDS)
        process.wait()  # last: until here the dead leader keeps the group's number from being given away


def _await_group(group: int, seconds: float) -> None:
    """Returns as soon as no process of the group runs any more, or after seconds."""
    deadline = time.monotonic() + seconds
    while _group_lives(group) and time.monotonic() < deadline:
        time.sleep(0.1)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that only waits to be collected doesn't."""
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
        except ProcessLookupError:
            continue
    return False
