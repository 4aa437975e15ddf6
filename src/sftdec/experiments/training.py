"""Training one network of the comparison."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from sftdec.experiments.comparison import Comparison, Trained
from sftdec.experiments.models import fresh_network, save_network
from sftdec.experiments.teaching import objectives
from sftdec.params import Params
from sftdec.training import Checkpoints, Report, train_on_build, write_curve

Watched = Callable[[Trained], AbstractContextManager[Report]]


def train_models(
    trained: Iterable[Trained],
    comparison: Comparison,
    params: Params,
    build: Path,
    checkpoints: Path,
    watched: Watched = lambda trained: nullcontext(lambda step, metrics: None),
) -> None:
    """Train a model on each budget and write weights and curves below ``build/comparison``.

    Each training is within its ``watched``, which gives what is told how it goes.

    A training that was stopped goes on from its checkpoints. They count as done when all budgets are written: DVC
    takes away what an earlier one wrote before it runs the stage again.

    Raises:
        DataError: scenes or patches are missing or damaged.
        TrainingError: the loss stays no finite number, or there is not enough memory.
    """
    done: list[tuple[Checkpoints, Path]] = []
    for each in trained:
        with watched(each) as report:
            parts = _train_model(each, comparison, params, build, checkpoints, report)
        done += [(saved, each.weights(build / "comparison")) for saved in parts]
    for saved, weights in done:
        saved.finish(weights)


def _train_model(
    trained: Trained, comparison: Comparison, params: Params, build: Path, checkpoints: Path, report: Report
) -> list[Checkpoints]:
    """Train and write a model on one budget; returns the checkpoints of its parts, for the caller to finish."""
    steps = ", ".join(
        f"{part} {count} steps" for part, count in comparison.steps_of(trained.model, trained.budget).items()
    )
    print(f"{trained.model}, {trained.budget}: {steps}")
    network, out = fresh_network(trained.model, comparison, params), build / "comparison"
    rows: list[dict[str, float]] = []
    done: list[Checkpoints] = []
    taken, before = 0, None
    for objective in objectives(comparison, params, trained):
        so_far = partial(_later, report, taken)
        network, curve, saved = train_on_build(network, objective, build, checkpoints, before, so_far)
        rows += [{**row, "step": row["step"] + taken} for row in curve]
        taken += int(curve[-1]["step"])
        done.append(saved)
        network.training_crop = params.train.common.crop
        save_network(network, comparison, before := saved.folder / "result.safetensors")
    save_network(network, comparison, trained.weights(out))
    write_curve(trained.curve(out), rows)
    return done


def _later(report: Report, taken: int, step: int, metrics: dict[str, float]) -> None:
    """Tell of a part's step as one of the whole training, after the steps of the parts before."""
    report(step + taken, metrics)
