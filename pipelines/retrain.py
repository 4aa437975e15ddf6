"""The pipeline as a Prefect flow: a task a DVC stage, its output the task's log, its results artifacts.

`python pipelines/retrain.py` runs it without a server; `--serve` stays and runs it every night; with
`prefect deploy --all` workers do. What has to run is DVC's decision alone: the flow and a plain
`dvc repro` leave the same files.
"""

import argparse
import base64
import io
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script it doesn't find its package
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect reads these once, while it is imported
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.settings import PREFECT_API_URL

from pipelines.dvc_stages import StageFailed, StageResult, reproduce, stage_order, up_to_date

DATA = "data.dvc"
FETCH_RETRIES = 2  # the one stage that may meet a disk or a network that comes back
FETCH_RETRY_SECONDS = 30.0
FIGURE_WIDTH = 1000


@flow(name="retrain")
def retrain(stages: list[str] | None = None, root: Path | None = None) -> list[StageResult]:
    """Brings the pipeline up to date, stage by stage, and publishes what came out of it.

    Args:
        stages: the stages to run, in the pipeline's order whatever theirs is; all of them if left out.
        root: the DVC project; the checkout that this file lies in if left out.

    Raises:
        ValueError: dvc.yaml is missing or doesn't have one of the stages.
        StageFailed: a stage failed; those after it don't run.
    """
    root = (root or Path(__file__).parents[1]).resolve()
    order = stage_order(root)
    if unknown := sorted(set(stages or ()) - set(order)):
        raise ValueError(f"{root / 'dvc.yaml'} has no stage {', '.join(unknown)}; it has {', '.join(order)}")
    chosen = [stage for stage in order if not stages or stage in stages]
    log = get_run_logger()
    if (root / DATA).is_file():  # else stages would see a new file in data/, and data.dvc still the old list
        run_named(DATA, root, None)
    if up_to_date(chosen, root, log.info):
        log.info("Nothing changed: %s", ", ".join(chosen))
        results = [StageResult(stage, "unchanged", 0.0) for stage in chosen]
        publish_summary(results, None)
        return results
    with _tracked(root) as pipeline_run:
        results = []
        for stage in chosen:
            results.append(run_named(stage, root, pipeline_run, results[-1] if results else None))
    _publish_metrics(root)
    _publish_figures(root)
    publish_summary(results, pipeline_run)
    return results


@task(cache_policy=NO_CACHE)  # DVC knows what is up to date
def run_stage(stage: str, root: Path, pipeline_run: str | None, after: StageResult | None = None) -> StageResult:
    """Has DVC bring one stage up to date; its output is the task's log.

    `after` is the stage before: Prefect draws the run's picture from what a task is given.
    """
    log = get_run_logger()
    result = reproduce(stage, root, log.info, pipeline_run)
    log.info("%s: %s (%.1f s)", stage, result.outcome, result.seconds)
    return result


def run_named(stage: str, root: Path, pipeline_run: str | None, after: StageResult | None = None) -> StageResult:
    """run_stage under the stage's own name."""
    named = run_stage.with_options(
        name=stage,
        task_run_name=stage,
        retries=FETCH_RETRIES if stage == "fetch" else 0,
        retry_delay_seconds=FETCH_RETRY_SECONDS,
    )
    return named(stage, root, pipeline_run, after)


@contextmanager
def _tracked(root: Path) -> Iterator[str | None]:
    """One MLflow run for the whole execution, closed as it ends; yields its id.

    None if tracking is off, or if the store is away, which stops nobody.
    """
    log = get_run_logger()
    pipeline_run: str | None = None
    try:
        from sftdec.tracking import close_pipeline_run, open_pipeline_run, read_settings

        pipeline_run = open_pipeline_run(root) if read_settings(root).enabled else None
    except Exception as error:  # whatever a store can fail with
        log.warning("No MLflow run for this execution, its stages go on without: %s", error)
    failure: str | None = None
    try:
        yield pipeline_run
    except BaseException as error:  # a cancellation is no Exception
        failure = f"{type(error).__name__}: {error}"
        raise
    finally:
        if pipeline_run:
            try:
                close_pipeline_run(root, pipeline_run, failure)
            except Exception as error:
                log.warning("MLflow run %s stays open: %s", pipeline_run, error)


def _publish_metrics(root: Path) -> None:
    """reports/metrics.json as a table: one row a data set."""
    path = root / "reports" / "metrics.json"
    if not path.is_file():
        return
    metrics = json.loads(path.read_text("utf-8"))
    rows: list[dict[str, Any]] = [
        {"data set": name, **{key: _shown(value) for key, value in values.items()}} for name, values in metrics.items()
    ]
    create_table_artifact(rows, key="metrics", description="Restoration quality on the test scenes")


def _shown(value: object) -> object:
    """A metric as a table takes it: four decimals, and a word for infinity, which JSON hasn't."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else str(value)
    return value


def _publish_figures(root: Path) -> None:
    """reports/figures/*.png, carried inside the artifacts: the server and the browser may be elsewhere.

    Markdown, because the page of an image artifact writes the address out as well, all 100 KB of it.
    """
    for path in sorted((root / "reports" / "figures").glob("*.png")):
        key = "figure-" + re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
        address = "data:image/jpeg;base64," + base64.b64encode(_as_jpeg(path)).decode("ascii")
        name = path.relative_to(root).as_posix()
        create_markdown_artifact(f"![{name}]({address})", key=key, description=name)


def _as_jpeg(path: Path) -> bytes:
    """A picture on white, at most FIGURE_WIDTH px wide."""
    from PIL import Image

    with Image.open(path) as picture:
        layer = picture.convert("RGBA")
    page = Image.new("RGBA", layer.size, "white")
    page.alpha_composite(layer)
    if page.width > FIGURE_WIDTH:
        height = max(1, round(page.height * FIGURE_WIDTH / page.width))
        page = page.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    page.convert("RGB").save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()


def publish_summary(results: Sequence[StageResult], pipeline_run: str | None) -> None:
    """What ran, what the register stage said of its decision, and where to look further."""
    nothing = all(result.outcome == "unchanged" for result in results)
    text = ["Nothing changed: every stage is up to date.", ""] if nothing else []
    text += ["| stage | outcome | seconds |", "|---|---|---:|"]
    text += [f"| {result.stage} | {result.outcome} | {result.seconds:.1f} |" for result in results]
    for result in results:
        if result.stage == "register" and result.last_lines:
            text += ["", "### What the register stage said", "```", *result.last_lines, "```"]
    if pipeline_run:
        text += ["", "`make ui` opens the MLflow UI."]
        text += [f"This execution is run `{pipeline_run}` there, its stages nested below it."]
    create_markdown_artifact("\n".join(text), key="summary", description="What this execution did")


def main() -> None:
    """Runs the flow once, or with --serve every night for as long as the process lives."""
    parser = argparse.ArgumentParser(description="Bring the pipeline up to date as a Prefect flow.")
    parser.add_argument("stages", nargs="*", help="stages to run; all of them if left out")
    parser.add_argument("--serve", action="store_true", help="stay, and run at 02:00 every night")
    options = parser.parse_args()
    if options.serve:
        _serve(options.stages)
        return
    run_once(lambda: retrain(stages=options.stages))


def run_once(flow_run: Callable[[], object]) -> None:
    """A flow without a server; a signal ends it cleanly, a failed stage with its sentence."""
    # Left to itself SIGTERM ends Python without the clean-up that stops Prefect's temporary server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # a closed terminal; under nohup it is ignored
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        flow_run()
    except (StageFailed, ValueError) as error:
        sys.exit(f"ERROR: {error}")


def _serve(stages: list[str]) -> None:
    """Runs the flow every night at two, one execution at a time."""
    if not PREFECT_API_URL.value():
        sys.exit(
            "ERROR: PREFECT_API_URL is not set, and only a server keeps a schedule. Start one with `prefect server "
            "start`, then `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api`, and serve again."
        )
    os.chdir(Path(__file__).resolve().parents[1])  # where the runs it starts look for their code
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    retrain.serve(name="nightly", cron="0 2 * * *", limit=1, global_limit=one, parameters={"stages": stages})


if __name__ == "__main__":
    main()
