"""Git worktrees of the project: the files of a commit in a folder of their own, with the data they are run on.

Whoever works in the checkout is not disturbed by what happens there. Nobody edits files in such a worktree, so what
Git sees as changed in it is what the pipeline's stages wrote.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from sftdec.lineage.definitions import declared_outs
from sftdec.lineage.git_command import WorktreeError, clean_environment, git
from sftdec.runtime import parse_yaml, read_yaml

DATA, DATA_FILE, LOCK = "data", "data.dvc", "dvc.lock"
SOURCES = ("src", "pipelines")
DEFINED = ("params.yaml", DATA_FILE)  # what a run may define anew; everything else is the commit's
KEPT_REFS = "refs/retrain"  # commits that only worktrees were on: Git would clear them away


def commit_of(root: Path, revision: str) -> str:
    """The full name of the commit that a revision (a commit, branch or tag) stands for.

    Raises:
        WorktreeError: there is no such commit here.
    """
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except WorktreeError as error:
        raise WorktreeError(
            f"{root}: found no commit {revision!r} in this repository; commit first, or bring it with `git fetch`"
        ) from error


def place_worktree(root: Path, folder: Path, commit: str) -> list[str]:
    """Make ``folder`` a worktree of ``root`` in which each file of the commit's is compared with the commit.

    Of one that was there before stay dvc.lock and the outs that the commit's dvc.yaml declares, for DVC knows by them
    what is up to date; data/, and what Git ignores elsewhere than in the source folders. A dvc.lock that a killed
    process or a full disk left in pieces does not. A new one begins with the checkout's own dvc.lock.

    Returns:
        What had to be mended, a sentence each.

    Raises:
        WorktreeError: Git refuses, or the disk doesn't hold what it writes.
    """
    mended = list[str]()
    _follow_project(root, folder)
    if _is_worktree(root, folder):
        private = folder / git(folder, "rev-parse", "--git-dir").strip()
        for lock in private.glob("*.lock"):  # of a process that was killed: a worktree has one user at a time
            lock.unlink()
            mended.append(f"{lock.name} of a Git process that was killed is removed")
        torn = [name for name in _differing(folder, "HEAD", ()) if name not in DEFINED]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        git(root, "worktree", "prune")
        git(root, "worktree", "add", "--quiet", "--force", "--detach", "--no-checkout", str(folder), commit)
        torn = []
        if (root / LOCK).is_file():
            shutil.copyfile(root / LOCK, folder / LOCK)
    if (folder / LOCK).is_file() and not _is_lock_file((folder / LOCK).read_bytes()):
        (folder / LOCK).unlink()
        mended.append("dvc.lock was in pieces (a process was killed, or the disk full); the commit's own is taken")
    stays = [LOCK, *_declared_outs(folder, commit)]
    _restore(folder, commit, stays)
    git(folder, "update-ref", "--no-deref", "HEAD", commit)  # last: it bears no commit's name whose files aren't there
    beside = [name for name in torn if not any(Path(name).is_relative_to(each) for each in stays)]
    return [*mended, *(f"{name} wasn't as its commit has it, and was made anew" for name in beside)]


def remove_worktree(root: Path, folder: Path) -> None:
    """Remove a worktree and what lies in it."""
    shutil.rmtree(folder, ignore_errors=True)
    git(root, "worktree", "prune")


def commit_definition(folder: Path, message: str) -> str:
    """The commit that gives exactly the parameters and data.dvc that lie in the worktree, which is then on it.

    Its own commit if that has them already, else a child of it with the same author and date, so that equal
    definitions have equal names; the ref below ``refs/retrain`` keeps it. The branch that was checked out stays.

    Raises:
        WorktreeError: Git refuses.
    """
    base = git(folder, "rev-parse", "HEAD").strip()
    names = [name for name in DEFINED if (folder / name).is_file()]
    with tempfile.TemporaryDirectory() as scratch:  # an index of its own: DVC stages dvc.lock in the worktree's
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        git(folder, "read-tree", base, environment=index)
        if names:
            git(folder, "add", "--force", "--", *names, environment=index)
        tree = git(folder, "write-tree", environment=index).strip()
    if tree == git(folder, "rev-parse", f"{base}^{{tree}}").strip():
        return base
    moment = git(folder, "show", "--no-patch", "--format=%cI", base).strip()
    author = {"NAME": "sft-dec", "EMAIL": "sft-dec@localhost", "DATE": moment}
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in author.items()}
    commit = git(folder, "commit-tree", tree, "-p", base, "-m", message, environment=who).strip()
    git(folder, "update-ref", f"{KEPT_REFS}/{commit[:12]}", commit)
    git(folder, "update-ref", "--no-deref", "HEAD", commit)
    git(folder, "reset", "--quiet")  # the index alone
    return commit


def share_cache(root: Path, folder: Path) -> None:
    """Give a worktree the cache, remotes and credentials of the checkout's DVC.

    Raises:
        WorktreeError: its file can't be written.
    """
    from dvc.config import Config
    from dvc.config_schema import RelPath

    theirs, own = Config(str(root / ".dvc")), folder / ".dvc" / "config.local"
    try:
        own.unlink(missing_ok=True)  # DVC writes it in place, and starts no more where a full disk left the half
        with Config(str(folder / ".dvc")).edit("local", validate=False) as mine:
            mine.update(theirs.load_one("local"))
            shared = RelPath(cache_folder(root))  # from the worktree: DVC writes no path that isn't ASCII
            mine["cache"] = {**theirs.get("cache", {}), "dir": shared}
    except OSError as error:
        raise WorktreeError(f"{own} could not be written ({error.strerror}); make room on that disk") from error


def cache_folder(root: Path) -> str:
    """Where the checkout's DVC keeps results."""
    from dvc.config import Config

    return str(Config(str(root / ".dvc")).get("cache", {}).get("dir") or root / ".dvc" / "cache")


def is_kept_by_dvc(folder: Path) -> bool:
    """Whether data.dvc hands data/ over to DVC's cache; else its files lie in Git, and beside it in the checkout."""
    path = folder / DATA_FILE
    outs = (read_yaml(path) or {}).get("outs", []) if path.is_file() else []
    return any(out.get("path") == DATA and out.get("cache", True) for out in outs)


def data_sets(folder: Path) -> list[str] | None:
    """The data sets that the worktree's params.yaml names (fetch.datasets), None if it names none."""
    path = folder / "params.yaml"
    params = read_yaml(path) if path.is_file() else None
    fetch = params.get("fetch", {}) if isinstance(params, dict) else {}
    return [str(name) for name in fetch["datasets"]] if fetch.get("datasets") else None


def mirror_data(root: Path, folder: Path, names: Collection[str] | None) -> list[str]:
    """Bring the checkout's own data sets (those that Git doesn't track) into the worktree's data/.

    Hard links where they can be: no file is written in place. DVC follows no symbolic links. ``names``: which, all if
    None; others that were brought earlier are removed. A data set that the checkout lacks is left as it is: it may
    have been downloaded here.

    Returns:
        The names of those that are there now.
    """
    tracked = {path.split("/")[1] for path in git(folder, "ls-files", "-z", DATA).split("\0") if path.count("/")}
    source, target = root / DATA, folder / DATA
    there = {path.name for path in source.iterdir() if path.name[0] != "."} if source.is_dir() else set()
    wanted = {name for name in there - tracked if names is None or name in names}
    if target.is_dir():
        for path in target.iterdir():
            if path.name[0] != "." and path.name not in tracked | wanted and (names is None or path.name not in names):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in sorted(wanted):
        _mirror(source / name, target / name)
    return sorted(wanted)


def bring_data(folder: Path) -> None:
    """Check out data/ as data.dvc says, from the cache, or else from the remote.

    Raises:
        WorktreeError: neither has it.
    """
    for command in ("checkout", "pull"):
        done = run_dvc_quietly([command, "--force", DATA_FILE], folder)
        if done.returncode == 0:
            return
    output = (done.stdout + done.stderr).strip()
    raise WorktreeError(
        f"{folder}: the data of {DATA_FILE} is neither in DVC's cache nor to be had from a remote; run `dvc push` "
        f"where it is, or name the remote with `dvc remote add -d`. DVC says: {output[-1000:]}"
    )


def run_dvc_quietly(arguments: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """`dvc ARGUMENTS` in a folder, its output kept."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, env=dvc_environment(), capture_output=True, text=True)


def dvc_environment() -> dict[str, str]:
    """What DVC is run with: this Python as the `python` of dvc.yaml, and its lines when they are written."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**clean_environment(), "PATH": path, "PYTHONUNBUFFERED": "1"}


def code_first(folder: Path) -> dict[str, str]:
    """The environment in which a worktree's stages run its own code, not that of the checkout which is installed."""
    paths = [str(folder / "src"), str(folder), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _follow_project(root: Path, folder: Path) -> None:
    """Let a worktree belong to the project that it lies in again, where both were moved or copied together.

    `git worktree repair` leaves it alone while the project that was copied is still there.
    """
    link = folder / ".git"
    if not link.is_file():
        return
    common = (root / git(root, "rev-parse", "--git-common-dir").strip()).resolve()
    private = common / "worktrees" / Path(link.read_text("utf-8").strip()).name
    if private.is_dir():
        link.write_text(f"gitdir: {private}\n", "utf-8")
        (private / "gitdir").write_text(f"{link.resolve()}\n", "utf-8")


def _is_worktree(root: Path, folder: Path) -> bool:
    """Whether the folder is one of this very repository."""
    if not (folder / ".git").is_file():
        return False
    try:
        common = [Path(git(each, "rev-parse", "--git-common-dir").strip()) for each in (root, folder)]
        top = Path(git(folder, "rev-parse", "--show-toplevel").strip())
    except WorktreeError:
        return False
    return (root / common[0]).resolve() == (folder / common[1]).resolve() and top.resolve() == folder.resolve()


def _is_lock_file(content: bytes) -> bool:
    try:
        loaded = parse_yaml(content, "dvc.lock")
    except ValueError:
        return False
    stages = loaded.get("stages") if isinstance(loaded, dict) else None
    return isinstance(stages, dict) and all(isinstance(each, dict) and each.get("cmd") for each in stages.values())


def _restore(folder: Path, commit: str, stays: Sequence[str]) -> None:
    """Make a worktree's files those of the commit, but for ``stays``: what differs is written, what is none goes.

    Raises:
        WorktreeError: what was written isn't what lies there.
    """
    there = [name for name in stays if (folder / name).exists()]
    if _differing(folder, commit, there):
        git(folder, "checkout", "--force", "--", *_all_but(there))
        if wrong := _differing(folder, commit, there):
            raise WorktreeError(f"{folder}: {', '.join(wrong[:5])}: not what was written there; make room on that disk")
    own = [f"--exclude=/{name}" for name in (DATA, *stays)]
    git(folder, "clean", "-ffdq", *own)
    if sources := [name for name in SOURCES if (folder / name).is_dir()]:
        git(folder, "clean", "-ffdxq", "--", *sources)  # byte code too, which a full disk may have cut short


def _differing(folder: Path, commit: str, stays: Sequence[str]) -> list[str]:
    """The commit's files that lie otherwise in the worktree, by their bytes: no index of before is believed."""
    private = folder / git(folder, "rev-parse", "--git-dir").strip()
    (private / "index").unlink(missing_ok=True)
    git(folder, "read-tree", commit)
    return [name for name in git(folder, "diff", "-z", "--name-only", "--", *_all_but(stays)).split("\0") if name]


def _all_but(names: Sequence[str]) -> list[str]:
    return [".", *(f":(exclude,literal){name}" for name in names)]


def _declared_outs(folder: Path, commit: str) -> list[str]:
    """The outs of the commit's dvc.yaml, metrics and plots too."""
    try:
        stages = parse_yaml(git(folder, "show", f"{commit}:dvc.yaml"), "dvc.yaml")["stages"].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # none, or no file that DVC would run
    return [out for stage in stages for out in declared_outs(stage)]


def _mirror(source: Path, target: Path) -> None:
    """Make target hold what source holds, by hard links or else copies; a file that is the same is left alone."""
    if source.is_dir():
        if target.is_symlink() or target.is_file():
            target.unlink()
        target.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in source.iterdir()}
        for path in target.iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in sorted(names):
            _mirror(source / name, target / name)
        return
    if target.is_dir():
        shutil.rmtree(target)
    mine, theirs = (path.stat() if path.exists() else None for path in (target, source))
    if theirs is None or (mine and (mine.st_size, mine.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
