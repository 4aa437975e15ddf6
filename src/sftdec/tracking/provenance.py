"""What a run came from: the checksums of all that it and the runs before it read and wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.lineage import lineage
from sftdec.tracking.settings import EXPERIMENT, TrackingSettings, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

WEIGHTS = "build/models/s3.safetensors"
CHANGED = "unreproducible"  # the tag of a run whose code changed while it ran, and of a version
DEFINED = "sftdec.defined"  # the tag of a stage's run: ``stage_definitions`` as it began
MADE_BY = "made.run"  # the tag of a version: the run that made its weights
_ORIGIN = ("sftdec.lineage", "git.", "hash.")
_DEEPEST = 100  # runs; a pipeline has seven
_MOST = 50  # runs that made the same bytes


def origin_of(digest: str, root: Path, settings: TrackingSettings) -> dict[str, str]:
    """What weights were made from, as the tags of a version: the lineage of the run that wrote exactly these bytes.

    Of several such runs the newest that a commit stands for, else the newest. A run of changes that were committed
    since, as they were, has the commit of the checkout at ``root``. The tag ``CHANGED`` says why no commit is known to
    give the weights: that includes that no run is known to have made them. Raises what MLflow raises.
    """
    client = open_client(settings)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    makers = _makers(client, experiment.experiment_id, WEIGHTS, digest) if experiment else []
    if not makers:
        nobody = f"no run in MLflow says that it made these weights ({digest[:12]}…), so what from isn't known"
        return {CHANGED: f"{nobody}; train them with the tracking on: dvc repro -f train_s3"}
    told = [_told(client, run, root) for run in makers]
    return next((tags for tags in told if CHANGED not in tags), told[0])


def _told(client: "MlflowClient", run: "Run", root: Path) -> dict[str, str]:
    """The origin that a run tells of its weights."""
    tags = {key: value for key, value in run.data.tags.items() if key.startswith(_ORIGIN)}
    if tags.get("git.dirty") != "false":
        now = lineage(root)
        if not now.doubt and now.tag == tags.get("sftdec.lineage"):  # committed since
            tags = {key: value for key, value in tags.items() if not key.startswith("git.")} | now.tags()
    reason = _changed_under(client, run, _defined(run), {})
    if not reason and tags.get("git.dirty") != "false":
        reason = tags.get("git.doubt") or "trained with uncommitted changes, or outside Git"
    return tags | {MADE_BY: str(run.info.run_id)} | ({CHANGED: reason} if reason else {})


def _changed_under(client: "MlflowClient", run: "Run", defined: Mapping[str, str], told: dict[str, str]) -> str:
    """Why a run's result, or what it read of another's, is of no known code; empty where it isn't so.

    ``defined``: what the stages before it were as the last one began, by which its commit has them. ``told``: the
    answers of runs that were asked already.
    """
    if run.info.run_id not in told:
        told[run.info.run_id] = ""  # where a run is asked of itself
        told[run.info.run_id] = _reason(client, run, defined, told)
    return told[run.info.run_id]


def _reason(client: "MlflowClient", run: "Run", defined: Mapping[str, str], told: dict[str, str]) -> str:
    if reason := run.data.tags.get(CHANGED):
        return str(reason)
    stage = run.data.tags.get("sftdec.stage", "")
    own = _defined(run).get(stage)
    if own and defined.get(stage, own) != own:
        other = f"{stage}, of whose result it is made, ran with other code or parameters"
        return f"{other}; make it anew: dvc repro -f {stage}"
    for key, digest in run.data.tags.items():
        if not key.startswith("in.") or len(told) >= _DEEPEST:
            continue
        makers = _makers(client, run.info.experiment_id, key.removeprefix("in."), digest)
        reasons = [_changed_under(client, each, defined, told) for each in makers]
        if reasons and all(reasons):
            return reasons[0]
    return ""


def _defined(run: "Run") -> dict[str, str]:
    return dict(json.loads(run.data.tags.get(DEFINED, "{}")))


def _makers(client: "MlflowClient", experiment: str, name: str, digest: str) -> "list[Run]":
    """The runs that wrote these bytes, newest first; those too that somebody has deleted: what they say stays true."""
    from mlflow.entities import ViewType

    wanted = f"tags.`out.{name}` = '{digest}'"
    newest = ["start_time DESC"]
    return list(client.search_runs([experiment], wanted, ViewType.ALL, max_results=_MOST, order_by=newest))


def recorded_outs(run_id: str, settings: TrackingSettings) -> dict[str, str]:
    """SHA-256 by path (as ``lineage.checksum``) of what a stage's run and those upstream of it read and wrote.

    A run that was deleted ends the way back. Raises ``TrackingError`` where the store is away.
    """
    client = open_client(settings)
    from mlflow.exceptions import MlflowException

    found: dict[str, str] = {}
    waiting, seen = [run_id], set[str]()
    while waiting and len(seen) < _DEEPEST:
        if (run := waiting.pop(0)) in seen:
            continue
        seen.add(run)
        try:
            tags = client.get_run(run).data.tags
        except MlflowException:
            continue
        for key, value in tags.items():
            kind, _, name = key.partition(".")
            if kind in ("in", "out"):
                found.setdefault(name, value)
            elif kind == "upstream":
                waiting.append(value)
    return found
