"""What the tests of flows look at: stages that really ran, outcomes, artifacts."""

from pathlib import Path

from pipelines.dvc_stages import StageResult


def journal(root: Path) -> list[str]:
    path = root / "journal.txt"
    return path.read_text().split() if path.is_file() else []


def outcomes(results: list[StageResult]) -> dict[str, str]:
    return {result.stage: result.outcome for result in results}


def artifacts_of(state) -> dict[str, object]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        return {artifact.key: artifact.data for artifact in client.read_artifacts(artifact_filter=mine)}
