"""The flow over a small Git and DVC project whose stages take milliseconds."""

import base64
import io
import logging
import shutil
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pipelines.dvc.stages import StageFailed, run_dvc
from pipelines.flows import retrain, tasks
from sftdec.tracking import read_settings
from sftdec.tracking.settings import open_client
from tests.pipelines.flows import artifacts_of, commit, journal, outcomes, page_of, worktree

pytestmark = pytest.mark.slow

ORDER = ["fetch", "train_s1", "register"]


@pytest.fixture(scope="module")
def first_run(pristine, tmp_path_factory, prefect_server):
    """A project after its first execution, with tracking: (root, state of the flow run)."""
    root = shutil.copytree(pristine, tmp_path_factory.mktemp("first") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SFTDEC_TRACKING", raising=False)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        client = open_client(read_settings(root))
        client.create_registered_model("sft-dec")
        basis = {"hash.scenes": "s", "hash.measuring": "m", "measured.split": "test"}
        for tags in ({"metric.sample.psnr": "26.0", "metric.sample.x": ""}, {}, {}):  # the last is this execution's
            client.create_model_version("sft-dec", root.as_uri(), tags=basis | tags)
        client.set_registered_model_alias("sft-dec", "champion", "1")
        return root, retrain.retrain(root=root, return_state=True)


@pytest.fixture
def executed(first_run, tmp_path, monkeypatch):
    """A copy of the executed project, to be changed."""
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    root = shutil.copytree(first_run[0], tmp_path / "project", symlinks=True)
    (worktree(root) / "journal.txt").unlink()
    return root


def task_logs(state, expected: str, seconds: float = 15.0) -> dict[str, list[str]]:
    """Log lines of each task, once expected (sent last) has arrived: Prefect sends them in the background."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId

    run = state.state_details.flow_run_id
    deadline = time.monotonic() + seconds
    with get_client(sync_client=True) as client:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        names = {task.id: task.name for task in client.read_task_runs(flow_run_filter=of_run)}
        while True:
            lines: dict[str, list[str]] = {}
            for log in client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))):
                lines.setdefault(names.get(log.task_run_id, "flow"), []).append(log.message)
            if any(expected in line for own in lines.values() for line in own) or time.monotonic() > deadline:
                return lines
            time.sleep(0.5)


def test_the_first_execution_runs_every_stage_in_the_order_of_the_dependencies(first_run):
    root, state = first_run
    assert outcomes(state.result()) == dict.fromkeys(ORDER, "ran")
    assert journal(worktree(root)) == ["fetch", "train_s1"]
    assert [result.stage for result in state.result()] == ORDER
    assert (worktree(root) / "build/model.txt").read_text() == "index.txt recipes.csv photo,lens\n"


def test_a_stage_writes_its_output_into_the_log_of_its_own_task(first_run):
    logs = task_logs(first_run[1], "register: ran")
    assert f"fetch runs in {Path(sys.executable).parent / 'python'}" in logs["fetch"]
    assert any(line.startswith("train_s1 runs in") for line in logs["train_s1"])
    assert not any(line.startswith("train_s1 runs in") for line in logs["fetch"])
    assert "the gate: version 3 is champion" in logs["register"]
    assert "data.dvc" in logs


def test_one_finished_mlflow_run_stands_for_the_execution_and_the_stages_know_it(first_run):
    from mlflow import MlflowClient

    root, state = first_run
    fetch = state.result()[0]
    run_id = next(line for line in fetch.last_lines if line.startswith("of run ")).removeprefix("of run ")
    run = MlflowClient(f"sqlite:///{root / 'mlflow.db'}").get_run(run_id)
    assert run.info.status == "FINISHED" and run.data.tags["mlflow.source.name"] == "pipelines/flows/retrain.py"
    assert f"`{run_id}`" in page_of(state)


@pytest.mark.parametrize("tag", ["hash.scenes", "hash.measuring", "measured.split"])
def test_a_champion_that_was_measured_otherwise_is_not_set_beside(first_run, tmp_path, monkeypatch, tag):
    root = shutil.copytree(first_run[0], tmp_path / "project", symlinks=True)
    settings = read_settings(root, {})
    monkeypatch.setattr(retrain, "get_run_logger", lambda: logging.getLogger("test"))
    champion = retrain._champion(root, settings)
    place = worktree(root)
    assert retrain._beside(root, place, settings, champion)[0] == {"sample": {"psnr": 26.0}}
    open_client(settings).set_model_version_tag("sft-dec", "3", tag, "another")
    assert retrain._beside(root, place, settings, champion) == (None, "champion")


def test_the_metrics_are_a_table_with_the_champions_beside_them(first_run):
    assert "\n".join(
        [
            "| data set | model | psnr | mae |",
            "| --- | --- | --- | --- |",
            "| sample | this execution | 27.1235 |  |",
            "| sample | champion (version 1) | 26 |  |",
            "| sample | difference | 1.1235 |  |",
            "| realistic | this execution | inf | 0.5 |",
            "| realistic | champion (version 1) |  |  |",
            "| realistic | difference |  |  |",
        ]
    ) in page_of(first_run[1])


def test_the_page_says_what_ran_then_what_the_gate_decided_then_the_figures(first_run):
    page = page_of(first_run[1])
    assert page.startswith("| stage | outcome | seconds |") and all(f"| {stage} | ran |" in page for stage in ORDER)
    gate = "## Version 3: promoted\n\nit is better\n\nVersion 2 served before.\n\n| figure | value |"
    parts = ["the gate: version 3 is champion", gate, "| gain | 0.25 |", "| data set |", "![evaluation]"]
    assert [page.index(part) for part in parts] == sorted(page.index(part) for part in parts)


def test_the_pictures_travel_in_the_page_as_one_on_white_1000_px_wide(first_run):
    _, _, rest = page_of(first_run[1]).partition("![evaluation](data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(rest.removesuffix(")")))) as picture:
        assert picture.size == (1000, 200)
        red, green, blue = picture.convert("RGB").getpixel((500, 100))
    assert red > 250 and abs(green - 127) < 5 and abs(blue - 127) < 5


def test_a_second_execution_runs_nothing_and_says_so(executed):
    state = retrain.retrain(root=executed, return_state=True)
    assert outcomes(state.result()) == dict.fromkeys(ORDER, "unchanged")
    assert journal(worktree(executed)) == []
    page = page_of(state)
    assert page.startswith("Nothing changed: every stage is up to date.") and "## Version" not in page


def test_only_what_a_change_reaches_runs_again(executed):
    script = executed / "code/register.py"
    script.write_text(script.read_text().replace("version 3", "version 4"))
    commit(executed)
    results = retrain.retrain(root=executed)
    assert outcomes(results) == {"fetch": "unchanged", "train_s1": "unchanged", "register": "ran"}
    assert journal(worktree(executed)) == []
    assert not results[0].ran and results[2].ran


def test_a_file_dropped_into_data_is_noticed_and_recorded_in_data_dvc(executed):
    before = (worktree(executed) / "data.dvc").read_text()
    (executed / "data/ded").mkdir()
    (executed / "data/ded/photo.txt").write_text("a new photo\n")
    results = retrain.retrain(root=executed, stages=["train_s1", "fetch"])
    assert outcomes(results) == {"fetch": "ran", "train_s1": "ran"}
    assert "a new photo" in (worktree(executed) / "build/model.txt").read_text()
    assert (worktree(executed) / "data.dvc").read_text() != before
    assert "up to date" in "\n".join(run_dvc(["status", "data.dvc", "fetch"], worktree(executed), lambda line: None))


def test_a_failed_stage_is_named_with_its_last_lines_and_stops_the_later_ones(project, prefect_server):
    text = (project / "dvc.yaml").read_text()
    broken = "import sys; print('loss is nan at step 7', flush=True); sys.exit(3)"
    (project / "code/broken.py").write_text(broken)
    (project / "dvc.yaml").write_text(text.replace("code/stage.py train_s1", "code/broken.py train_s1"))
    commit(project)
    state = retrain.retrain(root=project, return_state=True)
    with pytest.raises(StageFailed, match=r"stage 'train_s1' failed with exit code 3") as error:
        state.result()
    assert "loss is nan at step 7" in str(error.value)
    assert journal(worktree(project)) == ["fetch"]
    assert not (worktree(project) / "reports").exists()
    assert artifacts_of(state) == {}


def test_fetch_is_tried_again_and_no_other_stage_is(project, prefect_server, monkeypatch):
    monkeypatch.setattr(tasks, "FETCH_RETRY_SECONDS", 0.0)
    flaky = "\nif journal_so_far.count(name) < 2: sys.exit('the disk is away')\n"
    read = "\njournal_so_far = pathlib.Path('journal.txt').read_text().split()"
    with (project / "code/stage.py").open("a") as script:
        script.write(read + flaky)
    commit(project)
    with pytest.raises(StageFailed, match=r"'train_s1' failed with exit code 1"):
        retrain.retrain(root=project)
    assert journal(worktree(project)) == ["fetch", "fetch", "train_s1"]


def test_a_tracking_store_that_is_away_stops_nothing(project, prefect_server, monkeypatch):
    monkeypatch.delenv("SFTDEC_TRACKING")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/data.dvc/no/database.db")
    results = retrain.retrain(root=project, stages=["fetch"])
    assert outcomes(results) == {"fetch": "ran"}
    assert "of run none" in results[0].last_lines


def test_an_unknown_stage_is_refused_with_the_names_that_exist(project, prefect_server):
    with pytest.raises(ValueError, match=r"no stage train_s9; it has fetch, train_s1, register"):
        retrain.retrain(stages=["fetch", "train_s9"], root=project)


def test_what_is_set_is_read_as_in_params_yaml_and_what_is_no_yaml_is_refused():
    assert retrain._override("train.s3.learning_rate=1e-4") == ("train.s3.learning_rate", 0.0001)
    assert retrain._override("fetch.datasets=[sample, ded]") == ("fetch.datasets", ["sample", "ded"])
    with pytest.raises(SystemExit, match=r"ERROR: --set fetch\.datasets: not YAML"):
        retrain._override("fetch.datasets=[sample")
