"""Two scheduled executions of the pipeline through real services: what the tests and the pictures are of."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Any

import yaml

from sftdec.tracking import TrackingSettings, read_settings
from tests.pipelines.turned_down import git, make_copy, set_params
from tests.services.servers import BUCKET, Bucket, Process, base_environment, prefect_server, running, wait_until

EXECUTION_SECONDS = 1500.0  # that an execution may take on a busy machine
DEPLOYMENT = "retrain/retrain"


@dataclass(frozen=True)
class Executed:
    """The project, where it is tracked, and the flow runs that did something, oldest first."""

    project: Path
    settings: TrackingSettings
    prefect: str
    environment: Mapping[str, str]
    flow_runs: tuple[Any, ...]

    @property
    def work_tree(self) -> Path:
        """The checkout that the stages ran in: the flow's own, where it has one."""
        own = self.project / ".retrain" / "worktree"
        return own if own.is_dir() else self.project


@contextmanager
def two_executions(folder: Path, tracking: str, bucket: Bucket) -> Iterator[Executed]:
    """Deploy a copy of the checkout every minute, wait for an execution, change a parameter, wait for another.

    The Prefect server goes on until the block ends, the worker only until the second execution does.
    """
    project = make_copy(folder / "project", "coffee|motorcycle")  # the gate asks for more than one
    deploy_every_minute(project)
    git(project, "commit", "--quiet", "--all", "--message", "every minute")
    server, address = prefect_server(folder)
    environment = base_environment(
        PREFECT_API_URL=f"{address}/api",
        PREFECT_HOME=str(folder / "prefect"),
        PREFECT_WORKER_QUERY_SECONDS="3",
        MLFLOW_TRACKING_URI=tracking,
        PYTHONPATH=f"{project / 'src'}:{project}",
    )
    dvc_remote(project, bucket, environment)
    server.start()
    try:
        server.wait_for(f"{address}/api/health")
        prefect(project, environment, "work-pool", "create", "sftdec", "--type", "process")
        prefect(project, environment, "--no-prompt", "deploy", "--name", "retrain")
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "sftdec"]
        with running(worker, project, environment, "worker.log") as process:
            first = await_execution(environment, process, known=())
            set_params(project, train__s3__learning_rate=0.001, train__s3__keep="last")
            git(project, "commit", "--quiet", "--all", "--message", "a faster last stage")
            second = await_execution(environment, process, known=(first.id,))
        yield Executed(project, read_settings(project, environment), address, environment, (first, second))
    finally:
        server.stop()


def deploy_every_minute(project: Path) -> None:
    path = project / "prefect.yaml"
    described = yaml.safe_load(path.read_text())
    nightly = next(each for each in described["deployments"] if each["name"] == "retrain")
    nightly["schedules"][0]["cron"] = "* * * * *"
    path.write_text(yaml.safe_dump(described, sort_keys=False))


def dvc_remote(project: Path, bucket: Bucket, environment: Mapping[str, str]) -> None:
    for arguments in (["add", "-d", "store", f"s3://{BUCKET}/dvc"], ["modify", "store", "endpointurl", bucket.url]):
        call(project, environment, "dvc", "remote", *arguments)
    call(project, environment, "dvc", "add", "data")  # the copy has fewer recipes; what isn't committed can't serve
    git(project, "commit", "--quiet", "--all", "--message", "a remote, and the data that are here")


def prefect(project: Path, environment: Mapping[str, str], *arguments: str) -> str:
    return call(project, environment, "prefect", *arguments)


def call(project: Path, environment: Mapping[str, str], module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = run(command, cwd=project, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def await_execution(environment: Mapping[str, str], worker: Process, known: tuple[Any, ...]) -> Any:
    """The first scheduled flow run to complete that isn't one of ``known`` and found something to do.

    The schedule rests afterwards until the next call, so that nothing begins while the caller changes something.
    """
    api = PrefectApi(environment["PREFECT_API_URL"])
    api.resume(DEPLOYMENT)
    deadline = time.monotonic() + EXECUTION_SECONDS
    while True:
        runs = api.flow_runs("retrain")
        failed = [each for each in runs if each.state_name in ("Failed", "Crashed")]
        assert not failed, api.logs(failed[0].id) + worker.log.read_text()[-3000:]
        found = [each for each in runs if each.state_name == "Completed" and each.id not in known]
        worked = [each for each in found if "| data set |" in api.artifacts(each.id).get("retrain", "")]
        if worked:
            api.pause(DEPLOYMENT)
            wait_until(lambda: not api.at_work("retrain"), "the flow runs that had begun have ended", EXECUTION_SECONDS)
            return worked[0]
        assert time.monotonic() < deadline, f"no execution of {[each.state_name for each in runs]}"
        time.sleep(2)


class PrefectApi:
    """What the tests ask a Prefect server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def flow_runs(self, flow: str, *states: str) -> list[Any]:
        """All runs of a flow, or those in such a state, the oldest first; 200 at most."""
        from prefect.client.schemas.filters import (
            FlowFilter,
            FlowFilterName,
            FlowRunFilter,
            FlowRunFilterState,
            FlowRunFilterStateName,
        )

        named = (
            FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=list(states)))) if states else None
        )
        with self._client() as client:
            found = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])), flow_run_filter=named
            )
        return sorted(found, key=lambda each: each.expected_start_time)

    def at_work(self, flow: str) -> list[Any]:
        return self.flow_runs(flow, "Pending", "Running", "Cancelling")

    def artifacts(self, flow_run: Any) -> dict[str, Any]:
        from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
        with self._client() as client:
            return {each.key: each.data for each in client.read_artifacts(artifact_filter=mine) if each.key}

    def logs(self, flow_run: Any) -> str:
        from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

        with self._client() as client:
            found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run])))
        return "\n".join(each.message for each in found)

    def pause(self, deployment: str) -> None:
        with self._client() as client:
            client.pause_deployment(client.read_deployment_by_name(deployment).id)

    def resume(self, deployment: str) -> None:
        with self._client() as client:
            client.resume_deployment(client.read_deployment_by_name(deployment).id)

    def _client(self) -> Any:
        from prefect.client.orchestration import SyncPrefectClient

        return SyncPrefectClient(self.url)
