"""Whether a commit gives what lies in a checkout. What can't be known counts against it, with Git's own reason."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sftdec.lineage.git_command import WorktreeError, git

PATIENCE = 60.0  # s
SHOWN = 5  # names
WITHOUT_LOCKS = {"GIT_OPTIONAL_LOCKS": "0"}  # a `git commit` whose editor is open is not disturbed


def head(root: Path) -> str:
    """The full name of the commit that is checked out.

    Raises:
        WorktreeError: there is none, or Git refuses; with the mend.
    """
    try:
        git(root, "rev-parse", "--git-dir", patience=PATIENCE)
    except WorktreeError as error:
        mend = "" if "safe.directory" in str(error) else "; a clone of the project, or `git init` and a commit, mend it"
        raise WorktreeError(f"{error}{mend}") from error
    try:
        return git(root, "rev-parse", "--verify", "HEAD^{commit}", patience=PATIENCE).strip()
    except WorktreeError as error:
        raise WorktreeError(f"{error}; commit first, or run `git fsck` where something was") from error


def uncommitted(root: Path, paths: Sequence[str]) -> str:
    """In words, what of ``paths`` (from ``root``) HEAD doesn't give as it lies there; empty where it gives all of it.

    Files are compared with HEAD itself, whatever Git was told to overlook (``assume-unchanged``, ``skip-worktree``,
    ``status.showUntrackedFiles``, exclude files). What Python leaves beside the source doesn't count.
    """
    try:
        known = _changed(root, paths, WITHOUT_LOCKS, "--untracked-files=all")
    except WorktreeError as error:
        return f"Git can't tell what is committed: {error}; `rm .git/index && git reset` makes a broken index anew"
    try:
        with tempfile.TemporaryDirectory() as scratch:  # an index that marks no file as not to be looked at
            own = {**WITHOUT_LOCKS, "GIT_INDEX_FILE": str(Path(scratch) / "index")}
            git(root, "read-tree", "--no-sparse-checkout", "HEAD", environment=own, patience=PATIENCE)
            names = _changed(root, paths, own, "--untracked-files=no")
            others = git(root, "ls-files", "-z", "--others", "--", *paths, environment=own, patience=PATIENCE)
        prefix = git(root, "rev-parse", "--show-prefix", patience=PATIENCE).strip()
    except (WorktreeError, OSError) as error:
        return f"Git can't tell what is committed: {error}"
    names |= {prefix + name for name in others.split("\0") if name and is_source(name)}
    if not names:
        return ""
    overlooked = sorted(names - known)
    why = f" (Git was told to overlook {_listed(overlooked)}: `git ls-files -v`, `git check-ignore -v`)"
    return f"uncommitted changes of {_listed(sorted(names))}{why if overlooked else ''}; commit them"


def is_source(name: str) -> bool:
    """Whether a file below a source folder may be read by a run: not what Python or an editor leaves beside it."""
    return not any(part == "__pycache__" or part.endswith(".egg-info") or part[0] == "." for part in name.split("/"))


def _changed(root: Path, paths: Sequence[str], environment: Mapping[str, str], untracked: str) -> set[str]:
    """The files that `git status` lists, from the repository's top."""
    command = ["status", "--porcelain", "-z", "--no-renames", untracked, "--", *paths]
    printed = git(root, *command, environment=environment, patience=PATIENCE)
    return {entry[3:] for entry in printed.split("\0") if entry and is_source(entry[3:])}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
