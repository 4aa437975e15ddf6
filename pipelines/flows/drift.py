"""Watching what comes in, as a Prefect flow: photos that no longer look like the training's start a retraining.

`python -m pipelines.flows.drift FOLDER` checks once, without a server; `prefect deploy` puts it on a schedule.
"""

import argparse
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from pipelines.flows.alarms import HOOKS, alarm
from pipelines.flows.artifacts import picture, table
from pipelines.flows.artifacts import publish as publish_page
from pipelines.flows.retrain import retrain
from pipelines.flows.tasks import ROOT, run_once
from pipelines.flows.turns import in_turn
from sftdec.drift import WINDOW, Comparison, DriftLimits, DriftReport, compare_with_training, find_index
from sftdec.reporting import png_bytes

CHAMPION = "models:/sft-dec@champion"


@flow(name="drift", flow_run_name="{folder}", **HOOKS)
def watch(
    folder: Path,
    root: Path | None = None,
    model: str = CHAMPION,
    index: Path | None = None,
    level: float = DriftLimits.level,
    min_psi: float = DriftLimits.min_psi,
    min_photos: int = DriftLimits.min_photos,
    window: int = WINDOW,
) -> DriftReport | State[Any]:
    """Checks incoming photos against the training index and, if they have drifted, retrains and says why.

    Args:
        folder: the photos, or the file of statistics that `sftdec deblur --log-statistics` wrote; from the root.
        root: the DVC project; the checkout that this file lies in if left out.
        model: whose defocus map measures the blur.
        index: the training index, from the root; what was trained last, there or by a flow, if left out.
        level: the chance of a false alarm, a check.
        min_psi: how much PSI beyond chance is large enough to matter.
        min_photos: fewer decide nothing.
        window: the side that is measured of each photo, px.

    Returns:
        What was found; a cancelled state if another check is at work, and this one comes again.

    Raises:
        ValueError: no photos, no index or no such model; or as `retrain`.
    """
    checkout = (root or ROOT).resolve()
    limits = DriftLimits(level, min_psi, min_photos)

    def checked(_: Path) -> DriftReport:
        training = checkout / index if index else find_index(checkout)
        return _followed(folder, checkout, compare(checkout / folder, training, model, checkout, limits, window))

    return in_turn(checkout, "drift", checked)


def _followed(folder: Path, checkout: Path, found: Comparison) -> DriftReport:
    """The report, published; a retraining follows if it is an alarm."""
    log = get_run_logger()
    for line in found.report.left_out:
        log.warning("left out: %s", line)
    publish(found)
    if not found.report.alarm:
        log.info("No retraining: %s", found.report.reason)
        return found.report
    log.warning("Retraining, because %s", found.report.reason)
    alarm("drift", f"{folder}: {found.report.reason}; a retraining follows")
    state = retrain(root=checkout, return_state=True)
    if state.is_cancelled():  # another one is at work
        log.warning("The retraining was cancelled: %s", state.message)
    else:
        state.result()  # a failure is this flow's too
    return found.report


@task(cache_policy=NO_CACHE)
def compare(folder: Path, index: Path, model: str, root: Path, limits: DriftLimits, window: int) -> Comparison:
    """Measures the photos and, where that hasn't been done yet, the training's."""
    from sftdec.networks import load_weights
    from sftdec.registry import resolve_weights
    from sftdec.runtime import choose_device

    device = choose_device("auto")
    network = load_weights(resolve_weights(model, root)).to(device)
    return compare_with_training(folder, index, network, device, limits, window)


def publish(found: Comparison) -> None:
    """The report as the run's page: what was decided and why, the figures, the picture."""
    report = found.report
    text = [f"**{'Drift: a retraining follows' if report.alarm else 'No drift'}.** {report.reason}."]
    text += [f"- left out: {line}" for line in report.left_out]
    rows = [{str(key): value for key, value in row.items()} for row in report.table.to_dict("records")]
    drawn = picture("drift", png_bytes(found.figure()), "png")
    publish_page("drift", "Whether incoming photos have drifted, and why", ["\n".join(text), table(rows), drawn])


def main() -> None:
    """Runs the check once."""
    parser = argparse.ArgumentParser(description="Check incoming photos; retrain if they have drifted.")
    parser.add_argument("folder", type=Path, help="photos, or a file of their statistics")
    parser.add_argument("--model", default=CHAMPION, help="default: %(default)s")
    options = parser.parse_args()
    run_once(lambda: watch(options.folder.resolve(), model=options.model))


if __name__ == "__main__":
    main()
