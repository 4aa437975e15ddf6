"""Git, called in one way: what a hook, a shell or a person's own configuration says of other work has no effect."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SETTINGS = {  # whatever the repository's own configuration has
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.sparseCheckout": "false",
    "log.showSignature": "false",
    "color.ui": "false",
}


class WorktreeError(ValueError):
    """Git refuses, or a commit can't be brought into a worktree; the message says why and what mends it."""


def git(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, patience: float | None = None
) -> str:
    """What `git ARGUMENTS` prints in a folder.

    Args:
        folder: in the repository.
        arguments: Git's.
        environment: variables that Git finds beside this process's own.
        patience: s that it may take.

    Raises:
        WorktreeError: Git refuses, with its own sentence, takes too long, or isn't there.
    """
    own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    whole = {**clean_environment(), **own, **(environment or {})}
    place = ["-C", str(folder)]
    try:
        done = _run([*place, *arguments], whole, patience)
        if done.returncode and "safe.directory" in done.stderr:  # another owner's: trusted if a person says so
            trusted = _run(["config", "--null", "--get-all", "safe.directory"], clean_environment(), patience).stdout
            safe = [f"safe.directory={each}" for each in trusted.split("\0") if each]
            done = _run([*(part for each in safe for part in ("-c", each)), *place, *arguments], whole, patience)
    except FileNotFoundError as error:
        raise WorktreeError("git: there is no such command; a run of a commit needs Git, install it") from error
    except subprocess.TimeoutExpired as error:
        raise WorktreeError(f"{folder}: `git {_name(arguments)}` took more than {patience:g} s") from error
    if done.returncode:
        raise WorktreeError(f"{folder}: `git {_name(arguments)}` refused: {' '.join(done.stderr.split())}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """The environment of this process without Git's variables.

    A hook runs with GIT_INDEX_FILE, in a linked worktree with GIT_DIR too: Git, or DVC which calls it, would take the
    index and the commit of that repository for those of the folder that it is called in.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], patience: float | None
) -> "subprocess.CompletedProcess[str]":
    settings = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
    return subprocess.run(
        ["git", *settings, *arguments],
        capture_output=True,
        env=environment,
        timeout=patience,
        encoding="utf-8",
        errors="surrogateescape",  # names of any encoding come back as the paths they are
    )


def _name(arguments: Sequence[str]) -> str:
    return next((each for each in arguments if each[0] != "-" and "=" not in each), "")
