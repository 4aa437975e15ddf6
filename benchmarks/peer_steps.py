"""Seconds a step of each training of experiments/comparison, which its params.yaml states.

    python benchmarks/peer_steps.py [--rounds 5]

The fastest of a few steps, the parts of all models one after another in each round; validation left out. Needs
build/scenes and build/patches (dvc repro patches).
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sftdec.experiments import Trained, fresh_network, load_comparison, objectives
from sftdec.params import load_params
from sftdec.patches import CropDataset, PatchStore, batches
from sftdec.runtime import compute_exactly
from sftdec.training import Group, begin, take_step

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    compute_exactly(load_params(Path("params.yaml")).train.common.threads)
    seconds(given.rounds)


if __name__ == "__main__":
    main()
