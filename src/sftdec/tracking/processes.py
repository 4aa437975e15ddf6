"""Who runs what: the person, the script, and the process that stands for an execution, dead or alive."""

import getpass
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from sftdec.lineage import WorktreeError, git, lineage

EXECUTION = "sftdec.execution"  # the tag that names the process which an execution stands and falls with


def circumstances(root: Path) -> dict[str, str]:
    """The tags of a run that tell its lineage, and by whom, by which script and in which execution it was made."""
    tags = lineage(root).tags() | {"mlflow.source.name": script_name(root), "mlflow.source.type": "LOCAL"}
    if commit := tags.get("git.commit"):
        tags["mlflow.source.git.commit"] = commit
        with suppress(WorktreeError):
            tags["git.subject"] = git(root, "log", "-1", "--format=%s").strip().encode(errors="replace").decode()
    named = {"mlflow.user": user_name(), EXECUTION: execution()}
    return tags | {key: value for key, value in named.items() if value}


def user_name() -> str:
    """Who is at the keyboard; empty where nobody has a name, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def script_name(root: Path) -> str:
    """What this process runs, as from ``root``, with its arguments."""
    file = Path(sys.argv[0]).resolve() if sys.argv[0] else Path(sys.executable)
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return " ".join([shown, *sys.argv[1:]])[:250]


def this_process() -> str:
    """The name for good of the process that asks: its number is given again, with another start."""
    return _named(psutil.Process())


def execution() -> str | None:
    """The name of the ``dvc`` that has started this process, which all stages of one ``dvc repro`` share."""
    with suppress(psutil.Error):
        for parent in psutil.Process().parents():
            with suppress(psutil.Error):
                if any(Path(word).name == "dvc" for word in parent.cmdline()[:4]):
                    return _named(parent)
    return None


def is_dead(process: str) -> bool:
    """Whether a process of this machine has ended; of another machine's nobody here knows."""
    host, _, number = process.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        return _named(psutil.Process(int(number))) != process
    except (psutil.Error, ValueError):
        return True


def _named(process: psutil.Process) -> str:
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"
