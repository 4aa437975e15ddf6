"""What the tests of flows look at: stages that really ran, outcomes, artifacts."""

import subprocess
from pathlib import Path

from pipelines.dvc.stages import StageResult


def commit(root: Path) -> str:
    """Commit all that Git sees; the commit's name."""
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["add", "--all"], [*who, "commit", "--quiet", "--allow-empty", "--message", "a change"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return git(root, "rev-parse", "HEAD")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def worktree(root: Path) -> Path:
    """Where the flow works."""
    return root / ".retrain/worktree"


def journal(root: Path) -> list[str]:
    path = root / "journal.txt"
    return path.read_text().split() if path.is_file() else []


def outcomes(results: list[StageResult]) -> dict[str, str]:
    return {result.stage: result.outcome for result in results}


def page_of(state) -> str:
    """The one artifact of a flow run."""
    ((_, page),) = artifacts_of(state).items()
    return page


def artifacts_of(state) -> dict[str, object]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=mine)
    return {artifact.key: artifact.data for artifact in found if artifact.key}  # else where a result is kept
