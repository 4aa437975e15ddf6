"""DVC stage train of the comparison: patches → a network's weights and curve on each budget."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.experiments import BUDGETS, Trained, load_comparison, train_models
from sftdec.params import load_params
from sftdec.runtime import keep_freed_memory
from sftdec.tracking import track_stage
from sftdec.training import Report

BUILD, CHECKPOINTS, PARAMS = Path("build"), Path(".checkpoints"), Path("experiments/comparison/params.yaml")
EXPERIMENT = "sft-dec-comparison"  # of MLflow


def main() -> None:
    """Train the network that the command names on both budgets."""
    comparison = load_comparison(PARAMS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=comparison.models)
    trained = [Trained(parser.parse_args().model, budget) for budget in BUDGETS]
    keep_freed_memory()
    reads = [BUILD / "scenes", BUILD / "patches"]

    @contextmanager
    def watched(each: Trained) -> Iterator[Report]:
        name, steps = f"{each.model} {each.budget}", comparison.steps_of(each.model, each.budget)
        shown = {"model": each.model, "budget": each.budget, "steps": steps, "seed": comparison.seed}
        with track_stage(name, Path.cwd(), reads, shown, experiment=EXPERIMENT) as tracker:
            yield lambda step, metrics: tracker.metrics(metrics, step)
            tracker.writes([each.weights(BUILD / "comparison")])

    train_models(trained, comparison, load_params(Path("params.yaml")), BUILD, CHECKPOINTS, watched)


if __name__ == "__main__":
    run_stage(main)
