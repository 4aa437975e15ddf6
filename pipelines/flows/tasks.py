"""What the flows share: a task a DVC stage, one MLflow run for the whole execution, and how a flow begins and ends."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import CancelledRun

from pipelines.dvc import StageFailed, StageResult, reproduce
from pipelines.flows.database import check_database
from sftdec.tracking import TrackingSettings, close_pipeline_run, open_pipeline_run

ROOT = Path(__file__).resolve().parents[2]  # the checkout that the flows lie in
FETCH_RETRIES = 2  # the one stage that may meet a disk or a network that comes back
FETCH_RETRY_SECONDS = 30.0


@task(cache_policy=NO_CACHE)  # DVC knows what is up to date
def run_stage(stage: str, root: Path, environment: Mapping[str, str], after: StageResult | None = None) -> StageResult:
    """Has DVC bring one stage up to date; its output is the task's log.

    `after` is the stage before: Prefect draws the run's picture from what a task is given.
    """
    log = get_run_logger()
    result = reproduce(stage, root, log.info, environment)
    log.info("%s: %s (%.1f s)", stage, result.outcome, result.seconds)
    return result


def run_named(
    stage: str, root: Path, environment: Mapping[str, str] | None = None, after: StageResult | None = None
) -> StageResult:
    """run_stage under the stage's own name. Fetching is tried again; a training resumes at the next execution."""
    named = run_stage.with_options(
        name=stage,
        task_run_name=stage,
        retries=FETCH_RETRIES if stage == "fetch" else 0,
        retry_delay_seconds=FETCH_RETRY_SECONDS,
    )
    return named(stage, root, environment or {}, after)


def run_in_turn(stages: Iterable[str], root: Path, environment: Mapping[str, str] | None = None) -> list[StageResult]:
    """run_named for each of the stages, one after the other."""
    results: list[StageResult] = []
    for stage in stages:
        results.append(run_named(stage, root, environment, results[-1] if results else None))
    return results


@contextmanager
def tracked(root: Path, settings: TrackingSettings, judged: bool = False) -> Iterator[str | None]:
    """One MLflow run for the whole execution of the project at ``root``, closed as it ends; yields its id.

    ``judged``: the execution brings the evaluation up to date, so its figures are the run's.

    None if tracking is off, or if the store is away, which stops nobody.
    """
    log = get_run_logger()
    pipeline_run: str | None = None
    try:
        source = (
            f"pipelines/flows/{runtime.flow_run.flow_name}.py"  # a worker starts them all with a script of Prefect's
        )
        pipeline_run = open_pipeline_run(root, settings, source) if settings.enabled else None
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
                close_pipeline_run(root, pipeline_run, failure, settings, judged)
            except Exception as error:
                log.warning("MLflow run %s stays open: %s", pipeline_run, error)


def run_once(flow_run: Callable[[], object]) -> None:
    """A flow without a server; a signal ends it cleanly, a failed stage with its sentence."""
    end_cleanly()
    try:
        check_database()
        flow_run()
    except (StageFailed, CancelledRun, ValueError) as error:
        sys.exit(f"ERROR: {error}")


def end_cleanly() -> None:
    """Has a SIGTERM, or a closed terminal, end Python with its clean-up, which stops what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # a closed terminal; under nohup it is ignored
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
