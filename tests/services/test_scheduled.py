"""A small retraining on a schedule, through an MLflow server on PostgreSQL and S3, a Prefect server and a worker."""

import json
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from sftdec.registry import champion, resolve_weights, versions
from sftdec.tracking.settings import experiment_id, open_client
from tests.pipelines.turned_down import git
from tests.services.browser import SECONDS, Page
from tests.services.executions import Executed, PrefectApi, call, two_executions
from tests.services.servers import Bucket, Postgres, wait_until

pytestmark = pytest.mark.services
AFTER_S3 = {"train_s3", "evaluate", "report", "register"}
STAGES = {"fetch", "patches", "train_s1", "train_s2", *AFTER_S3}
SCREENSHOTS = "SFTDEC_SCREENSHOTS"  # the folder that gets the pictures, such as docs


@pytest.fixture(scope="module")
def executed(
    mlflow_process: tuple[object, str], s3: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Executed]:
    with two_executions(tmp_path_factory.mktemp("scheduled"), mlflow_process[1], s3) as done:
        yield done


def test_the_schedule_started_both_and_only_what_changed_ran_the_second_time(executed: Executed) -> None:
    api = PrefectApi(executed.environment["PREFECT_API_URL"])
    assert all(run.auto_scheduled for run in executed.flow_runs)
    first, second = (api.artifacts(run.id)["retrain"] for run in executed.flow_runs)
    assert all(f"| {stage} | ran |" in first for stage in STAGES)
    ran = {stage for stage in STAGES if f"| {stage} | ran |" in second}
    assert ran == AFTER_S3


def test_the_runs_and_their_metrics_are_in_postgresql(executed: Executed, postgres: Postgres) -> None:
    import psycopg2

    client = open_client(executed.settings)
    runs = client.search_runs([experiment_id(client, executed.settings)])
    commits = [git(executed.project, "rev-parse", name).strip() for name in ("HEAD~1", "HEAD")]
    rows = [run for run in runs if run.data.tags["sftdec.kind"] == "pipeline"]
    mine = [next(row for row in rows if row.data.tags["git.commit"] == commit) for commit in commits]
    for row, wanted in zip(mine, (STAGES, AFTER_S3), strict=True):
        nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == row.info.run_id]
        assert wanted <= {run.info.run_name for run in nested} and row.info.status == "FINISHED"
    shown = json.loads((executed.work_tree / "reports/metrics.json").read_text())["sample"]
    assert mine[1].data.metrics["sample.psnr"] == pytest.approx(shown["psnr"])
    with psycopg2.connect(f"{postgres.url}/mlflow") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT value FROM latest_metrics WHERE run_uuid = %s AND key = 'sample.psnr'", [mine[1].info.run_id]
        )
        assert cursor.fetchone()[0] == pytest.approx(shown["psnr"])


def test_each_execution_registered_a_version_whose_weights_lie_in_the_bucket(executed: Executed, s3: Bucket) -> None:
    client = open_client(executed.settings)
    mine = [each for each in versions(executed.project, executed.settings) if "gate.decision" in each.tags][-2:]
    for version in mine:
        place = client.get_model_version_download_uri(version.name, str(version.number))
        folder = place.removeprefix("mlflow-artifacts:/")
        assert any(name.startswith(f"mlflow/{folder}") and name.endswith(".safetensors") for name in s3.names())
    trained = executed.work_tree / "build/models/s3.safetensors"
    assert resolve_weights(mine[-1].uri, executed.project, executed.settings).read_bytes() == trained.read_bytes()
    assert "challenger" in mine[-1].aliases


def test_what_was_trained_is_pushed_to_the_bucket_and_pulled_elsewhere(
    executed: Executed, s3: Bucket, tmp_path: Path
) -> None:
    call(executed.work_tree, executed.environment, "dvc", "push")
    assert s3.names("dvc/")
    git(executed.project, "clone", "--quiet", str(executed.project), str(tmp_path / "elsewhere"))
    lock = (executed.work_tree / "dvc.lock").read_bytes()
    (tmp_path / "elsewhere" / "dvc.lock").write_bytes(lock)
    model = "build/models/s3.safetensors"
    call(tmp_path / "elsewhere", executed.environment, "dvc", "pull", model)
    assert (tmp_path / "elsewhere" / model).read_bytes() == (executed.work_tree / model).read_bytes()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: a folder of the test's, or the one of the environment variable."""
    return Path(os.environ.get(SCREENSHOTS) or tmp_path / "pictures")


def test_mlflow_shows_two_executions_side_by_side_with_figures_and_pictures(
    executed: Executed, page: Page, pictures: Path
) -> None:
    client, address = open_client(executed.settings), executed.settings.uri
    experiment = experiment_id(client, executed.settings)
    found = client.search_runs([experiment], "tags.`sftdec.kind` = 'pipeline'", order_by=["start_time DESC"])[:2]
    ids = [run.info.run_id for run in reversed(found)]
    page.open(f"{address}/#/experiments/{experiment}/runs", 1500, 520)
    page.wait_for("Training runs", *(run.info.run_name for run in found))
    page.run(CLOSE_ASSISTANT)
    page.click("Columns")
    for column in ("Dataset", "Models", "sample.psnr", "sample.ssim"):  # shown → hidden, hidden → shown
        page.click(column)
    page.escape()
    page.drag('.ag-header-cell[col-id*="Run Name"] .ag-header-cell-resize', 0.1, 50)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    page.wait_for("sample.ssim", *(str(run.data.metrics["sample.psnr"])[:6] for run in found))
    page.screenshot(pictures / "mlflow-runs.png")
    page.open(f'{address}/#/compare-runs?runs={json.dumps(ids)}&experiments=["{experiment}"]', 1400, 1250)
    page.wait_for("Comparing 2 Runs", "sample.psnr", "Artifacts")
    page.run(CLOSE_ASSISTANT)
    for heading in ("Visualizations", "Parameters", "Tags"):
        page.click(heading)  # folds it
    page.press("Metrics - Show diff only")
    wanted = [f"{round(run.data.metrics['sample.psnr'], 2):g}" for run in reversed(found)]  # 26.90 stands there as 26.9
    beside = "what the page draws anew, name by name and number by number, shows {} beside sample.psnr"
    wait_until(lambda: page.beside("sample.psnr")[1:3] == wanted, beside.format(wanted), SECONDS)
    page.screenshot(pictures / "mlflow-compare.png")
    evaluations = urllib.parse.quote("tags.`sftdec.stage` = 'evaluate'")
    page.open(f"{address}/#/experiments/{experiment}/runs?searchFilter={evaluations}&compareRunsMode=CHART", 1400, 900)
    page.wait_for("Training runs", *(run.info.run_name for run in found))
    page.run(UNFOLD)
    page.wait_for("deblurred/sample")
    page.wait_for_pictures(2)
    page.run(CLOSE_ASSISTANT)
    page.screenshot(pictures / "mlflow-pictures.png", settle=3, colours=None)


def test_mlflow_shows_the_registered_model_with_aliases_and_tags(
    executed: Executed, page: Page, pictures: Path
) -> None:
    if champion(executed.project, executed.settings) is None:  # a training of seconds may not have passed the gate
        promote = ["promote", "--version", "1", "--reason", "the first one has to serve"]
        call(executed.project, executed.environment, "sftdec.cli", *promote)
    for version in versions(executed.project, executed.settings):
        page.open(f"{executed.settings.uri}/#/models/sft-dec/versions/{version.number}", 1400, 1000)
        aliases = [f"@ {alias}" for alias in version.aliases]
        page.wait_for(f"Version {version.number}", *aliases, "gate.decision", version.tags["gate.decision"])
        page.run(CLOSE_ASSISTANT)
        if "champion" in version.aliases:
            page.screenshot(pictures / "mlflow-model.png")
            return
    raise AssertionError("no version is champion")


def test_prefect_shows_the_flow_its_tasks_and_artifacts(executed: Executed, page: Page, pictures: Path) -> None:
    run = executed.flow_runs[0]
    page.open(f"{executed.prefect}/runs/flow-run/{run.id}", 1400, 1000)
    page.wait_for(run.name, "Task Runs")
    page.click("Task Runs")
    page.wait_for("train_s1", "evaluate", "report", "register")
    page.screenshot(pictures / "prefect-flow.png", settle=4)
    page.click("Artifacts")
    page.wait_for("What this execution did")
    page.click("retrain")  # its one artifact, which is the page
    page.wait_for("outcome", "What the register stage said", "Version 1")
    page.screenshot(pictures / "prefect-page.png", settle=4)


UNFOLD = """(() => {
    const all = [...document.querySelectorAll('[role=row] button[data-component-id*="runs_cells_r"]')];
    all.filter(b => b.getBoundingClientRect().width > 0).slice(0, 2).forEach(b => b.click());
})()"""
CLOSE_ASSISTANT = """(() => {
    const all = [...document.querySelectorAll('button')];
    const found = all.find(b => /close/i.test(b.getAttribute('aria-label') || '')
        && b.closest('body') && b.getBoundingClientRect().x > 900);
    if (found) found.click();
    return !!found;
})()"""
