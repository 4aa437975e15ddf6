"""DVC's stages one at a time, each in a process group that ends with whoever runs it."""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.dvc.disk import DISK_FULL, full_disk
from pipelines.dvc.locks import mend_run_cache, mend_torn_lock
from pipelines.dvc.processes import own_session
from sftdec.lineage import dvc_environment

LAST_LINES = 15
UNTRANSFERRED = "ERROR: failed to transfer"
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


def reproduce(
    stage: str, root: Path, log: Callable[[str], None], environment: Mapping[str, str] | None = None
) -> StageResult:
    """Has DVC bring one stage (or .dvc file) up to date, without those before or after it.

    Args:
        stage: the name in dvc.yaml, its address (FILE:NAME, NAME@ITEM), or the name of a .dvc file.
        root: the DVC project.
        log: called with each line of output as it comes.
        environment: what the stage finds in its environment beside this process's own.

    Raises:
        StageFailed: the stage failed, or another DVC process holds its files.
    """
    started = time.monotonic()
    lines = run_dvc(["repro", "--single-item", stage], root, log, environment)
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
    arguments: Sequence[str], root: Path, log: Callable[[str], None], environment: Mapping[str, str] | None = None
) -> list[str]:
    """Runs `dvc ARGUMENTS` in root, hands each line of its output to log as it comes, returns them all.

    Raises:
        StageFailed: DVC ended with an error.
    """
    for mended in (mend_torn_lock(root), mend_run_cache(root)):
        if mended:
            log(mended)
    lines: list[str] = []
    whole = {**dvc_environment(), **(environment or {})}
    with own_session([sys.executable, "-m", "dvc", *arguments], root, whole) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.rstrip():
                lines.append(text)
                log(text)
    untransferred = [line for line in lines if line.startswith(UNTRANSFERRED)]
    for line in untransferred:  # its half of a file would take room for ever
        if (part := re.search(r"-> '(.*\.tmp)'$", line)) is not None:
            Path(part[1]).unlink(missing_ok=True)
    if process.returncode or untransferred:  # which DVC itself takes for no failure
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
    room = f"{full_disk(root, arguments[-1])}\n" if DISK_FULL.search(output) else ""
    if stage_code := re.search(r"exited with (-?\d+)$", output, re.MULTILINE):
        code = int(stage_code.group(1))  # DVC's own is 255 whatever the stage's was
    ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    if not code:
        ended = "ran, but its results could not be put into DVC's cache"
    return f"{what} {ended}. {room}Its last lines:\n" + "\n".join(lines[-LAST_LINES:])
