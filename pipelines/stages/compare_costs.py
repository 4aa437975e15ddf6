"""DVC stage costs of the comparison: every method's parameters, operations, time and memory → build/comparison/costs.csv.

What it measures depends on the machine and on what else it does: run it when nothing else does. DVC doesn't run it
again unless a network, a classical method or the measuring changed.
"""

from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.atomic import atomic_path
from sftdec.comparison import load_comparison
from sftdec.evaluation.comparison.costs import measure_costs

OUT, PARAMS = Path("build/comparison/costs.csv"), Path("experiments/comparison/params.yaml")


def main() -> None:
    """Measure side by side."""
    costs = measure_costs(load_comparison(PARAMS).models)
    with atomic_path(OUT) as temporary:
        costs.to_csv(temporary, index=False, float_format="%.6f")
    print(costs.to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    run_stage(main)
