"""DVC stage costs of the comparison: parameters, operations, time and memory → build/comparison/costs.csv.

What it measures depends on the machine and on what else runs there: nothing else should. DVC doesn't measure again
unless a network, a classical method or the measuring changed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.experiments import OURS, fresh_network, load_comparison, measure_costs, measured_picture, own_peak
from sftdec.params import load_params
from sftdec.peers import PEERS, AnyNetwork
from sftdec.runtime import atomic_path

OUT, PARAMS = Path("build/comparison/costs.csv"), Path("experiments/comparison/params.yaml")


def _build(model: str) -> AnyNetwork:
    return fresh_network(model, load_comparison(PARAMS), load_params(Path("params.yaml")))


def _peak(method: str) -> int:
    """Bytes, in a process of its own."""
    command = [sys.executable, "-m", "pipelines.stages.compare_costs", "--peak", method]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return int(said.splitlines()[0])  # below it, within DVC, how long this process took


def main() -> None:
    """Measure all methods side by side, or one method's memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peak", metavar="METHOD", help="print the bytes that this method takes, and nothing else")
    method = parser.parse_args().peak
    if method is not None:
        print(own_peak(method, _build, measured_picture()))
        return
    costs = measure_costs((*PEERS, OURS), _build, _peak)
    with atomic_path(OUT) as temporary:
        costs.to_csv(temporary, index=False, float_format="%.6f")
    print(costs.to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    run_stage(main)
