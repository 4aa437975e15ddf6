"""The rows of MLflow's list, one an execution of the pipeline: what each is called, which is whose, and its end."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.tracking.processes import EXECUTION, is_dead

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PROCESS = "sftdec.process"  # the tag that names the process of a flow
IS_ROW = {"sftdec.kind": "pipeline"}
NOTE = "mlflow.note.content"  # what MLflow shows as a run's description
SHOWN = 2  # parameters in a name
LONGEST = 36  # characters of one in it


def find_run(client: "MlflowClient", experiment: str, tags: Mapping[str, str], more: str = "") -> "Run | None":
    """The newest run of the experiment that bears all these tags, and fulfils ``more`` of MLflow's conditions."""
    conditions = [f"tags.`{key}` = '{value}'" for key, value in tags.items()] + ([more] if more else [])
    newest_first = ["start_time DESC"]
    found = client.search_runs([experiment], " and ".join(conditions), max_results=1, order_by=newest_first)
    return found[0] if found else None


def open_row(
    client: "MlflowClient", experiment: str, tags: Mapping[str, str], params: Mapping[str, str], time_ms: int
) -> str:
    """The run id of the row of an execution; the row is made where it is missing.

    An execution that was stopped goes on in its row, where its lineage is the same.
    """
    own = IS_ROW | {"sftdec.lineage": tags["sftdec.lineage"]}
    if EXECUTION not in tags:
        found = find_run(client, experiment, own)
    elif not (found := find_run(client, experiment, own | {EXECUTION: tags[EXECUTION]})):
        found = find_run(client, experiment, own, "attributes.status != 'FINISHED'")
        if found and not is_dead(found.data.tags.get(EXECUTION, "")):
            found = None  # somebody else is at it
        if found:
            client.set_tag(found.info.run_id, EXECUTION, tags[EXECUTION])
    return str(found.info.run_id) if found else create_row(client, experiment, tags, params, time_ms)


def create_row(
    client: "MlflowClient", experiment: str, tags: Mapping[str, str], params: Mapping[str, str], time_ms: int
) -> str:
    """A new row, with these parameters, named by what differs from the row before it, by its commit and its date."""
    from mlflow.entities import Param

    before = find_run(client, experiment, IS_ROW)
    commit = tags.get("git.commit", "")[:7] + ("+" if commit_is_not_all(tags) else "")
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))
    name = " · ".join(filter(None, [what_changed(tags, params, before), commit, moment]))
    own = {key: value for key, value in tags.items() if key != "sftdec.stage"} | IS_ROW
    own |= {} if PROCESS in tags else {"mlflow.source.name": "dvc.yaml"}
    if "git.subject" in own:
        own[NOTE] = own["git.subject"]
    run = client.create_run(experiment, int(time_ms), own, name)
    listed = [Param(key, value) for key, value in params.items()]
    for start in range(0, len(listed), 100):
        client.log_batch(run.info.run_id, params=listed[start : start + 100])
    return str(run.info.run_id)


def commit_is_not_all(tags: Mapping[str, str]) -> bool:
    """Whether what ran is more than its commit."""
    return "git.commit" in tags and tags.get("git.dirty") != "false"


def what_changed(tags: Mapping[str, str], params: Mapping[str, str], before: "Run | None") -> str:
    """In a few words, what an execution has other than the one ``before``."""
    if before is None:
        return "first execution"
    old, then = before.data.params, before.data.tags
    differing = [key for key in sorted({*old, *params}) if old.get(key) != params.get(key)]
    shown = [f"{key} {old.get(key, '–')} → {params.get(key, '–')}"[: len(key) + LONGEST] for key in differing[:SHOWN]]
    if len(differing) > SHOWN:
        shown.append(f"{len(differing) - SHOWN} parameters more")
    parts = {"hash.data_dvc": "other data", "hash.dvc_yaml": "other pipeline", "hash.code": "other code"}
    shown += [word for tag, word in parts.items() if then.get(tag) != tags.get(tag)]
    return ", ".join(shown) or "again"


def end_dead_rows(client: "MlflowClient", experiment: str) -> int:
    """Set rows to KILLED whose flow has died on this machine, when its last stage ended; how many there were."""
    running = client.search_runs([experiment], "attributes.status = 'RUNNING' and tags.`sftdec.kind` = 'pipeline'")
    dead = [row for row in running if is_dead(row.data.tags.get(PROCESS, ""))]
    for row in dead:
        stages = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{row.info.run_id}'")
        ends = [stage.info.end_time or stage.info.start_time for stage in stages]
        client.set_tag(row.info.run_id, "error", "the flow ended without closing its run (killed, or the power went)")
        client.set_terminated(row.info.run_id, "KILLED", max([row.info.start_time, *ends]))
    return len(dead)


def has_file(client: "MlflowClient", run_id: str, path: Path) -> bool:
    """Whether a run has this artifact."""
    return any(file.path == path.as_posix() for file in client.list_artifacts(run_id, path.parent.as_posix()))
