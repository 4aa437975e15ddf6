"""What the flows of experiments/ share: an experiment's stages, a task each, and its pages as artifacts."""

from collections.abc import Iterable
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from pipelines.dvc import StageResult, stage_graph, stage_items, stage_order, up_to_date, with_makers
from pipelines.flows.artifacts import publish_summary
from pipelines.flows.tasks import run_named
from sftdec.lineage import DATA_FILE

MAIN = "dvc.yaml"


def bring_up_to_date(experiment: str, root: Path | None, pages: Iterable[str]) -> list[StageResult]:
    """Run what has to run of an experiment and of the main pipeline before it; publish each ``reports/PAGE.md``.

    To be called in a flow. ``root``: the DVC project; the checkout that this file lies in if None.

    Raises:
        ValueError: there is no such experiment.
        StageFailed: a stage failed; those after it don't run. Those that ran are kept.
    """
    root = (root or Path(__file__).parents[2]).resolve()
    known = sorted(path.parent.name for path in root.glob("experiments/*/dvc.yaml"))
    if experiment not in known:
        raise ValueError(f"{root / 'experiments'} has no experiment {experiment}; it has {', '.join(known) or 'none'}")
    log = get_run_logger()
    if (root / DATA_FILE).is_file():
        run_named(DATA_FILE, root)
    stages = _stages(root, f"experiments/{experiment}/dvc.yaml")
    if up_to_date(stages, root, log.info):
        log.info("Nothing changed: %s, %d stages", experiment, len(stages))
        results = [StageResult(stage, "unchanged", 0.0) for stage in stages]
    else:
        results = []
        for stage in stages:
            results.append(run_named(stage, root, after=results[-1] if results else None))
    for name in pages:
        page = root / "reports" / f"{name}.md"
        if page.is_file():
            create_markdown_artifact(
                page.read_text("utf-8"), key=name.replace("_", "-"), description=f"reports/{name}.md"
            )
    publish_summary(results)
    return results


def _stages(root: Path, file: str) -> list[str]:
    """The experiment's stages, a matrix item by item, after those of the main pipeline that make what they read."""
    graph, items = stage_graph(root, MAIN, file), stage_items(root, file, get_run_logger().debug)
    needed = with_makers((stage for stage in graph if stage.startswith(f"{file}:")), graph)
    return [item for stage in stage_order(root, MAIN, file) if stage in needed for item in items.get(stage, [stage])]
