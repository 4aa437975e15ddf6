"""The champion judged again, as a Prefect flow: by the evaluate stage's own code, on the scenes as they are now.

A model doesn't change, but the machine, its packages and the scenes do. It says so where the champion no longer gives
the figures that it was registered with.
"""

import argparse
from pathlib import Path
from typing import Any, Literal

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from pipelines.flows.alarms import HOOKS, alarm
from pipelines.flows.artifacts import Figures, comparison, publish, registered_figures
from pipelines.flows.tasks import ROOT, run_once
from pipelines.flows.turns import in_turn
from pipelines.flows.worktree import WORKTREE
from sftdec.runtime import checksum
from sftdec.tracking import read_settings, track_stage

SCENES = Path("build/scenes")
Split = Literal["train", "validation", "test"]
TOLERANCE = 1e-6  # the figures' last decimal: the same code on the same bytes gives the same


class FiguresMoved(ValueError):
    """A version no longer gives the figures that it was registered with."""


@flow(name="reevaluate", flow_run_name="{model}", **HOOKS)
def reevaluate(
    model: str = "models:/sft-dec@champion", root: Path | None = None, split: Split = "test", device: str = "auto"
) -> dict[str, dict[str, float]] | State[Any]:
    """Judges a registered version on the scenes of the last retraining, or of the checkout if there was none.

    Args:
        model: the registered version.
        root: the DVC project; the checkout that this file lies in if left out.
        split: of the scenes.
        device: auto, cpu or cuda[:n].

    Returns:
        Its figures, as metrics.json has them; a cancelled state if a retraining is at work on the scenes, and this run
        comes again.

    Raises:
        FiguresMoved: they aren't its registered ones, on the same scenes.
        ValueError: there is no such version, its file isn't what was registered, or there are no scenes.
    """
    root = (root or ROOT).resolve()

    def judged(worktree: Path) -> dict[str, dict[str, float]]:
        place = next((each for each in (worktree, root) if (each / SCENES / "index.parquet").is_file()), None)
        if place is None:
            mend = "run `python -m pipelines.flows.retrain` first"
            raise ValueError(f"{root / SCENES}: there are no scenes to judge by; {mend}")
        return judge(model, root, place, split, device)

    return in_turn(root, WORKTREE, judged)


@task(cache_policy=NO_CACHE)
def judge(model: str, root: Path, place: Path, split: Split, device: str) -> dict[str, dict[str, float]]:
    """Evaluates the version on the scenes in ``place``, as an MLflow run and a table beside its registered figures."""
    from sftdec.datasets import load_scenes
    from sftdec.evaluation import evaluate_network, summarise, training_window
    from sftdec.networks import load_weights
    from sftdec.registry import SCENES_TAG, Judge, find_version, resolve_weights
    from sftdec.runtime import choose_device

    log, settings = get_run_logger(), read_settings(root)
    version, chosen = find_version(model, root, settings), choose_device(device)
    network = load_weights(resolve_weights(version.uri, root, settings)).to(chosen)
    scenes = checksum(place / SCENES)
    shown = {"version": version.number, "split": split, "scenes": scenes}
    with track_stage("reevaluate", root, params=shown, settings=settings) as tracker:
        window = training_window(network)
        metrics = summarise(
            evaluate_network(network, load_scenes(place / SCENES, split), str(chosen), local_pooling=window)
        )
        flat = {f"{name}.{key}": float(value) for name, row in metrics.items() for key, value in row.items()}
        tracker.metrics(flat, step=0)
        same = version.tags.get(SCENES_TAG) == Judge(place / SCENES, split, device, root, settings).scenes_hash
        registered = registered_figures(version.tags)
        holds, sentence = verdict(version.uri, metrics, registered, same)
        tracker.tags({"version": version.number, "verdict": sentence})
    log.info(sentence)
    beside = comparison(metrics, "now", registered if same else None, f"registered (version {version.number})")
    publish("reevaluate", f"Whether {version.uri} gives its registered figures", [sentence, beside])
    if holds is None:
        alarm("nothing-compared", sentence)
    elif not holds:
        raise FiguresMoved(sentence)
    return {name: {key: float(value) for key, value in row.items()} for name, row in metrics.items()}


def verdict(uri: str, now: Figures, registered: Figures, same_scenes: bool) -> tuple[bool | None, str]:
    """Whether a version still gives its registered figures, and in words; None where nothing can be compared."""
    if not same_scenes:
        return (
            None,
            f"{uri}: the scenes aren't those that its registered figures are of, so there is nothing to compare.",
        )
    pairs = {
        f"{name}.{key}": (float(now[name][key]), value)
        for name, row in registered.items()
        for key, value in row.items()
        if key in now.get(name, {})
    }
    if not pairs:
        return None, f"{uri}: no figure that was registered was measured now, so there is nothing to compare."
    key, (mine, theirs) = max(pairs.items(), key=lambda pair: abs(pair[1][0] - pair[1][1]))
    if abs(mine - theirs) <= TOLERANCE:
        return True, f"{uri} still gives the figures that it was registered with."
    return False, (
        f"{uri} no longer gives its registered figures: {key} is {mine:.6g}, was {theirs:.6g}, on the scenes that "
        "it was registered with: the machine, its packages or the code have changed."
    )


def main() -> None:
    """Runs the flow once."""
    parser = argparse.ArgumentParser(description="Judge the champion again as a Prefect flow.")
    parser.add_argument("model", nargs="?", default="models:/sft-dec@champion", help="(default: %(default)s)")
    model = parser.parse_args().model
    run_once(lambda: reevaluate(model))


if __name__ == "__main__":
    main()
