"""The pipeline as a Prefect flow: a task a DVC stage, its output the task's log, its results artifacts.

`python -m pipelines.flows.retrain` runs it without a server; `--serve` stays and runs it every night; with
`pipelines.flows.deploy` workers do. It works in a Git worktree of its own (`.retrain/worktree`), on what is committed:
whoever works in the checkout is not disturbed. What has to run is DVC's decision alone.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import State, flow, get_run_logger
from prefect.runtime import flow_run

from pipelines.dvc import StageResult, up_to_date
from pipelines.flows.alarms import HOOKS, alarm
from pipelines.flows.artifacts import (
    GATE,
    gate,
    gate_decision,
    metrics,
    publish,
    registered_figures,
    sheet,
    summary,
    where_the_run_is,
)
from pipelines.flows.serving import serve
from pipelines.flows.tasks import ROOT, run_in_turn, run_named, run_once, tracked
from pipelines.flows.turns import in_turn
from pipelines.flows.worktree import WORKTREE, Definition, name_definition, prepare, stage_environment
from sftdec.lineage import DATA_FILE, commit_of, is_kept_by_dvc, stage_order
from sftdec.runtime import parse_yaml
from sftdec.tracking import TrackingSettings, read_settings

if TYPE_CHECKING:
    from sftdec.registry import Version

Results = list[StageResult]
DONE = "What this execution did"


def run_name() -> str:
    """What a run is called: what it trains, and how that differs from the commit."""
    asked = flow_run.parameters
    definition = Definition(**{key: value for key, value in asked.items() if key not in ("root", "stages")})
    try:
        commit = commit_of(Path(asked.get("root") or ROOT), definition.revision)[:10]
    except ValueError:  # said once the run has begun
        commit = ""
    return "; ".join(part for part in (f"{definition.revision} {commit}".strip(), definition.asked) if part)


@flow(name="retrain", flow_run_name=run_name, **HOOKS)
def retrain(
    stages: list[str] | None = None,
    root: Path | None = None,
    revision: str = "HEAD",
    datasets: list[str] | None = None,
    scale: str = "params.yaml",
    overrides: dict[str, Any] | None = None,
    promote: bool = True,
) -> Results | State[Any]:
    """Brings the pipeline of a revision up to date, stage by stage, and publishes what came out of it.

    Args:
        stages: the stages to run, in the pipeline's order whatever theirs is; all of them if left out.
        root: the DVC project; the checkout that this file lies in if left out.
        revision: the commit, branch or tag to train; HEAD is what is checked out when the flow begins.
        datasets: the data sets to train on, instead of those of fetch.datasets.
        scale: the parameter file, such as params.paper.yaml.
        overrides: what is to differ from it: keys with dots → values ({"train.s3.steps": 400}).
        promote: False registers and judges the version, but leaves the champion where it is (gate.promote).

    Returns:
        How each stage went; a cancelled state if another execution is at work already, and this one comes again.

    Raises:
        ValueError: there is no such revision, stage, parameter file or section.
        StageFailed: a stage failed; those after it don't run.
    """
    root = (root or ROOT).resolve()
    definition = Definition(revision, scale, datasets, overrides, promote)
    return in_turn(root, WORKTREE, lambda place: _retrain(root, place, definition, stages or []))


def _retrain(root: Path, place: Path, definition: Definition, stages: list[str]) -> Results:
    """The flow, once nobody else is at work in the worktree ``place``."""
    log = get_run_logger()
    prepare(root, place, definition, log.info)
    order = stage_order(place)
    if unknown := sorted(set(stages) - set(order)):
        raise ValueError(f"{place / 'dvc.yaml'} has no stage {', '.join(unknown)}; it has {', '.join(order)}")
    chosen = [stage for stage in order if not stages or stage in stages]
    settings = read_settings(root)
    environment = stage_environment(root, place, settings, None)
    if (place / DATA_FILE).is_file() and not is_kept_by_dvc(place):  # else stages would see a new file in data/,
        run_named(DATA_FILE, place, environment)  # and data.dvc still the old list
    commit = name_definition(place, definition, log.info)
    where = f"Commit `{commit}` in `{place}`."
    if up_to_date(chosen, place, log.info):
        log.info("Nothing changed: %s", ", ".join(chosen))
        results = [StageResult(stage, "unchanged", 0.0) for stage in chosen]
        publish("retrain", DONE, [summary(results, [where])])
        return results
    champion = _champion(root, settings)
    (place / GATE).unlink(missing_ok=True)
    with tracked(place, settings, "evaluate" in chosen) as pipeline_run:
        environment = stage_environment(root, place, settings, pipeline_run)
        results = run_in_turn(chosen, place, environment)
    done, decision = summary(results, [where, *where_the_run_is(settings, pipeline_run)]), gate_decision(place)
    figures = metrics(place, *_beside(root, place, settings, champion))
    publish("retrain", DONE, [done, gate(decision), figures, sheet(place)])
    if is_refused(decision) and definition.promote:
        alarm("gate-refused", f"Version {decision.get('version')} isn't promoted: {decision.get('reason')}")
    return results


def is_refused(decision: dict[str, Any]) -> bool:
    """Whether the gate kept a version from serving: one that serves already, with the same weights, it didn't."""
    return bool(decision) and not decision.get("promoted") and decision.get("version") != decision.get("previous")


def _champion(root: Path, settings: TrackingSettings) -> "Version | None":
    """What serves as the execution begins; None if nothing does, or the store is away."""
    from sftdec.registry import champion

    try:
        return champion(root, settings)
    except Exception as error:  # whatever a store can fail with
        get_run_logger().warning("No figures of the champion beside those of this execution: %s", error)
        return None


def _beside(
    root: Path, place: Path, settings: TrackingSettings, champion: "Version | None"
) -> tuple[dict[str, dict[str, float]] | None, str]:
    """The champion's registered figures and its name, where this execution's version is measured as it was."""
    from sftdec.registry import find_version, incomparable

    if champion is None:
        return None, "champion"
    try:
        number = json.loads((place / GATE).read_text("utf-8"))["version"]
        mine = find_version(f"models:/{champion.name}/{number}", root, settings)
        difference = incomparable(mine.tags, champion.tags)
    except (OSError, ValueError, KeyError, TypeError) as error:
        difference = f"this execution registered no version to compare ({error})"
    if difference:
        get_run_logger().info("Version %d's figures aren't beside this execution's: %s", champion.number, difference)
        return None, "champion"
    return registered_figures(champion.tags), f"champion (version {champion.number})"


def main() -> None:
    """Runs the flow once, or with --serve every night for as long as the process lives."""
    parser = argparse.ArgumentParser(description="Bring the pipeline of a commit up to date as a Prefect flow.")
    parser.add_argument("stages", nargs="*", help="stages to run; all of them if left out")
    parser.add_argument("--revision", default="HEAD", help="commit, branch or tag (default: what is checked out)")
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help="instead of fetch.datasets")
    parser.add_argument("--scale", default="params.yaml", metavar="FILE", help="parameter file (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.s3.steps=400")
    parser.add_argument("--no-promotion", action="store_true", help="leave the champion where it is")
    parser.add_argument("--serve", action="store_true", help="stay, and run at 02:00 UTC every night")
    options = parser.parse_args()
    parameters: dict[str, Any] = {
        "stages": options.stages,
        "revision": options.revision,
        "datasets": options.datasets,
        "scale": options.scale,
        "overrides": dict(_override(text) for text in options.set),
        "promote": not options.no_promotion,
    }
    if options.serve:
        serve(retrain, parameters)
    else:
        run_once(lambda: retrain(**parameters))


def _override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        sys.exit(f"ERROR: --set {text}: found no '=', expected KEY=VALUE, such as train.s3.steps=400")
    try:
        return key, parse_yaml(value, f"--set {key}")
    except ValueError as error:
        sys.exit(f"ERROR: {error}")


if __name__ == "__main__":
    main()
