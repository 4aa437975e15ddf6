"""What experiments/comparison/params.yaml states of each training: seconds a step, and the rate that suits it.

    python benchmarks/peer_steps.py [--rounds 5] [--rates 0.0005 0.001 0.002] [--steps 100]

Seconds: the fastest of a few steps, the parts of all models one after another in each round; validation left out.
Rates: each model's last part (SFT-Dec's stand in params.yaml) is trained for so many steps at each, all of its fall;
printed are the validation photos' PSNR and the map's error. Needs build/scenes and build/patches (dvc repro patches).
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sftdec.experiments import OURS, Trained, fresh_network, load_comparison, objectives
from sftdec.params import load_params
from sftdec.patches import CropDataset, PatchStore, batches
from sftdec.runtime import compute_exactly
from sftdec.training import Group, PeerObjective, begin, take_step, train_on_build

STEPS = 6  # a round
PARAMS = Path("experiments/comparison/params.yaml")


def steppers() -> "Iterator[tuple[str, object]]":
    """A function that takes a step, by the part's name."""
    comparison, params = load_comparison(PARAMS), load_params(Path("params.yaml"))
    common = params.train.common
    dataset = CropDataset(PatchStore(Path("build/patches")), common, common.seed)
    batch = next(iter(batches(dataset, 0, 1, common.batch_size, 0)))
    group = Group.alone(common.device)
    for model in comparison.models:
        for objective in objectives(comparison, params, Trained(model, "equal_steps")):
            network = fresh_network(model, comparison, params)
            given = (begin(network, objective, group), objective, group, batch, 1e-4)
            yield objective.stage.name, lambda given=given: take_step(*given)


def seconds(rounds: int) -> None:
    """Print the fastest and the median step of each part."""
    found: dict[str, list[float]] = {}
    steps = dict(steppers())
    for number in range(rounds + 1):
        for name, step in steps.items():
            for _ in range(STEPS):
                begun = time.perf_counter()
                step()
                if number:  # the first round warms up
                    found.setdefault(name, []).append(time.perf_counter() - begun)
    table = pd.DataFrame(
        {name: {"fastest": min(all_), "median": pd.Series(all_).median()} for name, all_ in found.items()}
    )
    print(table.T.round(4).to_string())


def rates(candidates: list[float], steps: int) -> None:
    """Print how each model does on the validation photos after a short training at each rate."""
    comparison, params = load_comparison(PARAMS), load_params(Path("params.yaml"))
    comparison = comparison.model_copy(update={"steps": steps})
    for model in comparison.models:
        if model == OURS:
            continue
        for rate in candidates:
            *_, objective = objectives(comparison, params, Trained(model, "equal_steps"))
            assert isinstance(objective, PeerObjective)
            length = objective.params.model_copy(update={"validate_every": steps, "steps": steps})
            tried = replace(
                objective, params=length, recipe=replace(objective.recipe, learning_rate=rate, trains=("",))
            )
            with tempfile.TemporaryDirectory() as folder:
                network = fresh_network(model, comparison, params)
                _, curve, _ = train_on_build(network, tried, Path("build"), Path(folder), None)
            last = curve[-1]
            error = last["validation_mae"]
            print(f"{model:15} {rate:8g}  PSNR {last['validation_psnr']:.3f}  "
                  f"map {'—' if math.isnan(error) else f'{error:.4f}'}", flush=True)  # fmt: skip


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="+", default=[])
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    compute_exactly(load_params(Path("params.yaml")).train.common.threads)
    if given.rates:
        rates(given.rates, given.steps)
    else:
        seconds(given.rounds)


if __name__ == "__main__":
    main()
