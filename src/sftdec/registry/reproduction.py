"""Rebuilding a registered version from what it was made of: its commit and its data, trained again, byte for byte."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from sftdec.lineage import (
    DATA_FILE,
    WorktreeError,
    bring_data,
    code_first,
    commit_of,
    data_sets,
    dvc_environment,
    git,
    is_kept_by_dvc,
    mirror_data,
    place_worktree,
    remove_worktree,
    run_dvc_quietly,
    share_cache,
    stage_outs,
)
from sftdec.registry import RegistryError, Version, versions
from sftdec.registry.store import ORIGIN
from sftdec.runtime import checksum
from sftdec.tracking import WEIGHTS, TrackingSettings, read_settings, recorded_outs

SCRATCH = ".retrain"
LAST_LINES = 15


class ReproductionError(ValueError):
    """A version that can't be rebuilt; the message says why and what would mend it."""


@dataclass(frozen=True)
class Verdict:
    """Whether the rebuilt weights are the registered ones, in a sentence."""

    identical: bool
    sentence: str


def reproduce(model: str, root: Path, keep: bool = False, say: Callable[[str], None] = print) -> Verdict:
    """Train a registered version (``models:/sft-dec@champion``) anew from its recorded commit and data, and compare.

    It runs in a scratch worktree below ``root`` with no cache, no checkpoint and no tracking of the project's; ``say``
    gets each line. The worktree is removed in the end, unless ``keep``.

    Raises:
        RegistryError: there is no such version, or the registry is away.
        ReproductionError: it has no clean commit, its data isn't there any more, or a stage fails.
        WorktreeError: the commit isn't in this repository, or Git refuses.
    """
    settings = read_settings(root)
    version = find_version(model, root, settings)
    commit = commit_of(root, recorded_commit(version))
    folder = root / SCRATCH / f"reproduce-{version.number}-{os.getpid()}"
    folder.parent.mkdir(exist_ok=True)
    (folder.parent / ".gitignore").write_text("*\n", "utf-8")
    try:
        place_worktree(root, folder, commit)
        restore_data(version, root, folder)
        say(f"{version.uri}: commit {commit[:12]} is trained again in {folder}")
        ran = run_pipeline(folder, say, root, settings)
        return compare(version, folder, ran, settings, _same_packages(root, commit))
    finally:
        if not keep:
            remove_worktree(root, folder)


def find_version(model: str, root: Path, settings: TrackingSettings) -> Version:
    """The registered version behind a ``models:/`` address. Raises ``RegistryError`` naming those there are."""
    parsed = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", model)
    if not parsed:
        raise RegistryError(f"{model}: expected a registered version, models:/sft-dec@champion or models:/sft-dec/3")
    known = versions(root, settings)
    for version in known:
        if version.name == parsed[1] and (parsed[2] in version.aliases or str(version.number) == parsed[3]):
            return version
    listed = ", ".join(version.uri for version in known) or "none"
    raise RegistryError(f"{model}: not in the registry {settings.shown}; registered are: {listed}")


def recorded_commit(version: Version) -> str:
    """The commit that gives the version. Raises ``ReproductionError`` where none does."""
    tags = version.tags
    if ORIGIN in tags:
        raise ReproductionError(f"{version.uri} can't be rebuilt here: it is {tags[ORIGIN]}")
    if reason := version.unreproducible:
        raise ReproductionError(
            f"{version.uri} can't be rebuilt: {reason}. Commit first, then train (the flow retrain always does)"
        )
    if "weights_sha256" not in tags:
        raise ReproductionError(f"{version.uri} has no tag weights_sha256 to compare with; register it anew")
    return tags["git.commit"]


def restore_data(version: Version, root: Path, folder: Path) -> None:
    """Bring the recorded data into the worktree: from DVC's cache or remote, from Git, or from the checkout's data/.

    Raises:
        ReproductionError: none of them has it.
    """
    recorded, found = version.tags.get("hash.data_dvc"), folder / DATA_FILE
    if not found.is_file():
        return
    if recorded is not None and checksum(found) != recorded:
        raise ReproductionError(f"{version.uri}: its commit has another {DATA_FILE} than was recorded (hash.data_dvc)")
    if is_kept_by_dvc(folder):
        share_cache(root, folder)
        try:
            bring_data(folder)
        except WorktreeError as error:
            raise ReproductionError(f"{version.uri}: {error}") from error
        (folder / ".dvc" / "config.local").unlink()  # from here on a cache of its own: nothing comes from the project's
        return
    for names in (data_sets(folder), None):  # what a retraining brings, or all that lies in a checkout
        mirror_data(root, folder, names)
        if "up to date" in run_dvc_quietly(["status", DATA_FILE], folder).stdout:
            return
    raise ReproductionError(
        f"{version.uri}: {root / 'data'} isn't what it was when the version was trained, and {DATA_FILE} keeps no copy "
        "(cache: false); put the data sets back as they were, or let DVC keep them (docs/data.md, Sharing data)"
    )


def run_pipeline(folder: Path, say: Callable[[str], None], root: Path, settings: TrackingSettings) -> list[str]:
    """Run everything that leads to the weights, anew; the stages in the order in which they ran.

    Initial weights that are a registered version are sought in the registry of ``root``.

    Raises:
        ReproductionError: no stage makes them, or one fails.
    """
    makers = [stage for stage, outs in stage_outs(folder).items() if WEIGHTS in outs]
    if not makers:
        raise ReproductionError(f"{folder / 'dvc.yaml'}: no stage makes {WEIGHTS}, so there is nothing to compare")
    registry = f"sqlite:///{root / settings.database}" if settings.database else settings.uri
    apart = {"SFTDEC_TRACKING": "off", "SFTDEC_PHOTOS": "", "MLFLOW_TRACKING_URI": registry}  # no photo's kept work
    environment = {**dvc_environment(), **code_first(folder), **apart}
    anew = ["--force", "--no-run-cache", "--no-commit"]
    command = [sys.executable, "-m", "dvc", "repro", *anew, makers[0]]
    ran, lines = [], []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                say(lines[-1])
                if started := re.match(r"Running stage '([^']+)'", line):
                    ran.append(started[1])
        except BaseException:  # Ctrl+C, or a SIGTERM: the block would wait for the end of the training
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            raise
    if process.returncode:
        last = "\n".join(lines[-LAST_LINES:])
        raise ReproductionError(f"{folder}: stage {ran[-1] if ran else makers[0]} failed; its last lines:\n{last}")
    return ran


def compare(version: Version, folder: Path, ran: list[str], settings: TrackingSettings, same_packages: bool) -> Verdict:
    """Whether the rebuilt weights are the registered ones, or which stage's out is the first that differs."""
    expected, found = version.tags["weights_sha256"], checksum(folder / WEIGHTS)
    if found == expected:
        return Verdict(True, f"identical: {version.uri} and the weights trained again, SHA-256 {expected}")
    recorded = recorded_outs(version.run_id, settings) if version.run_id else {}
    recorded[WEIGHTS] = expected
    outs, unknown = stage_outs(folder), list[str]()
    first = ""
    for path in (path for stage in ran for path in outs[stage]):
        if path not in recorded:
            unknown.append(path)
        elif (now := checksum(folder / path)) != recorded[path]:
            stage = next(each for each in ran if path in outs[each])
            first = f"the first that does is {path} of stage {stage} (recorded {recorded[path][:12]}…, now {now[:12]}…)"
            break
    silent = f"; not recorded, so not compared: {', '.join(unknown)}" if unknown else ""
    packages = "" if same_packages else "; that commit pins other packages (constraints.txt) than this checkout"
    return Verdict(False, f"{version.uri} differs from the weights trained again: {first}{silent}{packages}")


def _same_packages(root: Path, commit: str) -> bool:
    """Whether the commit pins what the checkout pins."""
    return not git(root, "diff", "--name-only", commit, "--", "constraints.txt")
