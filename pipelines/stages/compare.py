"""DVC stage train of the comparison: patches → a network's weights and curve on each budget."""

import argparse
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.experiments import BUDGETS, Trained, load_comparison, train_models
from sftdec.params import load_params
from sftdec.runtime import keep_freed_memory

BUILD, CHECKPOINTS, PARAMS = Path("build"), Path(".checkpoints"), Path("experiments/comparison/params.yaml")


def main() -> None:
    """Train the network that the command names on both budgets."""
    comparison = load_comparison(PARAMS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=comparison.models)
    trained = [Trained(parser.parse_args().model, budget) for budget in BUDGETS]
    keep_freed_memory()
    train_models(trained, comparison, load_params(Path("params.yaml")), BUILD, CHECKPOINTS)


if __name__ == "__main__":
    run_stage(main)
