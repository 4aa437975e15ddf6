"""Git, called in one way: what a hook or a shell has set in the environment for another repository has no effect."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


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
    command = ["git", "-C", str(folder), *arguments]
    name = next((each for each in arguments if each[0] != "-" and "=" not in each), "")
    whole = {**clean_environment(), **(environment or {})}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            env=whole,
            timeout=patience,
            encoding="utf-8",
            errors="surrogateescape",  # names of any encoding come back as the paths they are
        )
    except FileNotFoundError as error:
        raise WorktreeError("git: there is no such command; a run of a commit needs Git, install it") from error
    except subprocess.TimeoutExpired as error:
        raise WorktreeError(f"{folder}: `git {name}` took more than {patience:g} s") from error
    except subprocess.CalledProcessError as error:
        raise WorktreeError(f"{folder}: `git {name}` refused: {' '.join(error.stderr.split())}") from error
    return done.stdout


def clean_environment() -> dict[str, str]:
    """The environment of this process without Git's variables.

    A hook runs with GIT_INDEX_FILE, in a linked worktree with GIT_DIR too: Git, or DVC which calls it, would take the
    index and the commit of that repository for those of the folder that it is called in.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
