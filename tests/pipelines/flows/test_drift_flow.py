"""The flow that watches incoming photos, over a small Git and DVC project."""

import pytest

from pipelines.flows.drift import watch
from tests.drift.photos import folder_of_photos, training_index
from tests.pipelines.flows import page_of
from tests.tiny import tiny_weights

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(project, tmp_path, prefect_server):
    """The project, and what the flow is told of a training that happened elsewhere."""
    index = training_index(tmp_path / "trained")
    (tmp_path / "trained" / "patches").rename(tmp_path / "trained" / "all")
    index = tmp_path / "trained" / "all" / index.name
    return {"root": project, "index": index, "model": str(tiny_weights(tmp_path / "weights.safetensors")), "window": 32}


def test_photos_like_the_trainings_start_nothing_and_the_artifacts_say_so(trained, tmp_path):
    incoming = folder_of_photos(tmp_path / "incoming", range(100, 140))
    state = watch(incoming, **trained, return_state=True)
    assert not state.result().alarm and retrainings(state) == []
    page = page_of(state)
    assert page.startswith("**No drift.** 40 photos look like the 60")
    assert all(f"\n| {name} | " in page for name in ("sigma", "sharpness", "brightness", "noise"))
    assert "data:image/png;base64," in page


def test_photos_that_have_drifted_start_a_retraining_and_the_artifacts_say_why(trained, tmp_path):
    incoming = folder_of_photos(tmp_path / "incoming", range(100, 140), lighter=60)
    (incoming / "broken.png").write_bytes(b"nothing")
    state = watch(incoming, **trained, return_state=True)
    (retraining,) = retrainings(state)
    assert state.result().alarm and retraining.state_name == "Completed"
    said = page_of(state)
    assert "a retraining follows" in said and "brightness drifted: mean" in said
    assert "broken.png: found 7 bytes that are no picture" in said


def retrainings(state):
    """The runs that the flow run of this state has started."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

    own = FlowRunFilterParentFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=own))
