"""The Git worktree in which a project is retrained: `.retrain/worktree`, kept from one execution to the next.

It shares the checkout's DVC cache, its checkpoints and its tracking store; parameters that are asked for become a
commit of its own, so that what is trained can be trained again.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.dvc import clear_dead_locks
from sftdec.lineage import (
    WorktreeError,
    bring_data,
    code_first,
    commit_definition,
    commit_of,
    data_sets,
    dvc_environment,
    git,
    is_kept_by_dvc,
    mirror_data,
    place_worktree,
    share_cache,
)
from sftdec.runtime import atomic_path
from sftdec.tracking import TrackingSettings

WORKTREE = "worktree"  # in .retrain
PARAMS = "params.yaml"
PERSONAL = (PARAMS, "dvc.yaml", "src", "pipelines")  # what a person may have changed without committing it
Log = Callable[..., None]


@dataclass(frozen=True)
class Definition:
    """What is to be trained: a revision of the project, and what of its parameters is to differ."""

    revision: str = "HEAD"
    scale: str = PARAMS  # a parameter file of that revision
    datasets: Sequence[str] | None = None  # instead of fetch.datasets
    overrides: Mapping[str, Any] | None = None  # keys of params.yaml with dots → values
    promote: bool = True  # False: the gate decides, but the champion stays

    @property
    def asked(self) -> str:
        """What differs from the revision, in words; empty where nothing does."""
        changes = ", ".join(f"{key}={value}" for key, value in self.changes.items())
        return "; ".join(part for part in (self.scale if self.scale != PARAMS else "", changes) if part)

    @property
    def changes(self) -> dict[str, Any]:
        """All that differs from the parameter file, by key."""
        changed = dict(self.overrides or {})
        if self.datasets:
            changed["fetch.datasets"] = list(self.datasets)
        if not self.promote:
            changed["gate.promote"] = False
        return changed


def prepare(root: Path, place: Path, definition: Definition, log: Log) -> None:
    """Bring the worktree ``place`` to the revision, its parameters and the data; what is ignored there stays.

    Raises:
        WorktreeError: there is no such revision, scale or data, or Git refuses.
        ParamsError: a change of a section that isn't there.
    """
    commit = commit_of(root, definition.revision)
    if own := git(root, "status", "--porcelain", "--untracked-files=all", "--", *PERSONAL):
        names = ", ".join(line[3:] for line in own.splitlines()[:5])
        log("Changes in the checkout that aren't committed (%s) take no part: this is commit %s", names, commit[:12])
    for sentence in place_worktree(root, place, commit):
        log("Mended: %s", sentence)
    clear_dead_locks(place)
    share_cache(root, place)
    _share_checkpoints(root, place)
    _write_params(place, definition)
    if definition.asked:
        _check_params(place)
    if is_kept_by_dvc(place):
        bring_data(place)
    else:
        mirror_data(root, place, data_sets(place))


def name_definition(place: Path, definition: Definition, log: Log) -> str:
    """The commit that stands for what is trained, made where parameters or data differ from the revision's."""
    asked = definition.asked
    commit = commit_definition(place, f"Retraining of {definition.revision}: {asked or 'the data as it lies in data/'}")
    log("Commit %s (%s%s)", commit[:12], definition.revision, f"; {asked}" if asked else "")
    return commit


def stage_environment(root: Path, place: Path, settings: TrackingSettings, pipeline_run: str | None) -> dict[str, str]:
    """What stages find in their environment: the worktree's code, the checkout's tracking store, the MLflow run."""
    database = settings.database
    uri = f"sqlite:///{root / database}" if database else settings.uri
    run = {"SFTDEC_PIPELINE_RUN": pipeline_run} if pipeline_run else {}
    return {**code_first(place), "MLFLOW_TRACKING_URI": uri, **run}


def _check_params(place: Path) -> None:
    """Refuse parameters that the worktree's own code can't use, before anything runs.

    Raises:
        WorktreeError: with the sentence that a stage would end with.
    """
    if not (place / "pipelines/stages/entry.py").is_file():
        return
    code = f"from pathlib import Path; from pipelines.stages.entry import check; check(Path({PARAMS!r}))"
    environment = {**dvc_environment(), **code_first(place)}
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise WorktreeError(done.stderr.strip().removeprefix("error: "))


def _share_checkpoints(root: Path, place: Path) -> None:
    """Let what was begun in the checkout go on here: a checkpoint's key says what it belongs to."""
    shared, link = root / ".checkpoints", place / ".checkpoints"
    shared.mkdir(exist_ok=True)
    if not link.is_symlink() and not link.exists():
        link.symlink_to(os.path.relpath(shared, place), target_is_directory=True)


def _write_params(place: Path, definition: Definition) -> None:
    """Write the worktree's params.yaml: the revision's scale, with what is to differ."""
    scale, path = place / definition.scale, place / PARAMS
    if not scale.is_file():
        there = ", ".join(sorted(each.name for each in place.glob("params*.yaml"))) or "none"
        if definition.scale == PARAMS and not definition.changes:
            return  # a project without parameters
        raise WorktreeError(f"{definition.scale}: {definition.revision} has no such parameter file; it has {there}")
    if not definition.changes:
        with atomic_path(path) as temporary:
            temporary.write_bytes(scale.read_bytes())
        return
    from ruamel.yaml import YAML

    from sftdec.experiments import with_changes

    yaml = YAML()  # keeps comments and the order of the keys
    values = with_changes(yaml.load(scale.read_text("utf-8")), definition.changes)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as opened:
        yaml.dump(values, opened)
