"""Training one network of the comparison."""

from collections.abc import Iterable
from pathlib import Path

from sftdec.experiments.comparison import OURS, Comparison, Trained, objectives
from sftdec.networks import SFTDec, build_network, save_weights
from sftdec.params import Params
from sftdec.peers import AnyNetwork, build_peer, save_peer
from sftdec.training import Checkpoints, train_on_build, write_curve


def fresh_network(model: str, comparison: Comparison, params: Params) -> AnyNetwork:
    """The model as it is before training."""
    if model == OURS:
        return build_network(params.network, comparison.seed)
    return build_peer(model, comparison.network_size, comparison.seed, params.fetch.sigma_max)


def save_network(network: AnyNetwork, comparison: Comparison, path: Path) -> None:
    """Write a model of the comparison as ``load_network`` reads it."""
    if isinstance(network, SFTDec):
        save_weights(network, path)
    else:
        save_peer(network, comparison.network_size, path)


def train_models(
    trained: Iterable[Trained], comparison: Comparison, params: Params, build: Path, checkpoints: Path
) -> None:
    """Train a model on each budget and write weights and curves below ``build/comparison``.

    A training that was stopped goes on from its checkpoints. They go when all budgets are written: DVC takes away
    what an earlier one wrote before it runs the stage again.

    Raises:
        DataError: scenes or patches are missing or damaged.
        TrainingError: the loss stays no finite number, or there is not enough memory.
    """
    done = [saved for each in trained for saved in _train_model(each, comparison, params, build, checkpoints)]
    for saved in done:
        saved.clear()


def _train_model(
    trained: Trained, comparison: Comparison, params: Params, build: Path, checkpoints: Path
) -> list[Checkpoints]:
    """Train and write a model on one budget; returns the checkpoints of its parts, for the caller to clear."""
    steps = ", ".join(
        f"{part} {count} steps" for part, count in comparison.steps_of(trained.model, trained.budget).items()
    )
    print(f"{trained.model}, {trained.budget}: {steps}")
    network, out = fresh_network(trained.model, comparison, params), build / "comparison"
    rows: list[dict[str, float]] = []
    done: list[Checkpoints] = []
    taken, before = 0, None
    for objective in objectives(comparison, params, trained):
        network, curve, saved = train_on_build(network, objective, build, checkpoints, before)
        rows += [{**row, "step": row["step"] + taken} for row in curve]
        taken += int(curve[-1]["step"])
        done.append(saved)
        network.training_crop = params.train.common.crop
        save_network(network, comparison, before := saved.folder / "result.safetensors")
    save_network(network, comparison, trained.weights(out))
    write_curve(trained.curve(out), rows)
    return done
