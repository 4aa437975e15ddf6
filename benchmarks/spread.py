"""How far seed and rounding move what params.yaml gives: whole trainings, judged on the test photos.

    python benchmarks/spread.py [--seeds 0 1 2 3 4] [--precisions bf16 fp32] [--threads 2] [--build build] [--out FILE]

Scenes and patches are those of ``build`` (dvc repro patches makes them). Prints a row a training as it ends, and keeps
it in the CSV file ``--out``, where one that is there isn't trained again: the gain (dB), the map's mean absolute and
squared error beside the best constant map's, and the absolute one on each photo. Then mean and standard deviation over
the trainings, and how many of them hold the map: on each photo an absolute error 20 % below the constant's, and a
squared one below it. Where the processor has no bfloat16, bf16 is fp32 once more.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
from schedules import kept, params_with, train_stages

from sftdec.datasets import load_scenes
from sftdec.evaluation import evaluate_network
from sftdec.params import Params

MAP = 0.8  # of the best constant map's error, on each photo


def judged(params: Params, build: Path) -> dict[str, Any]:
    """A training's seconds, and its network's figures on the test photos."""
    started = time.perf_counter()
    network, _ = train_stages(params, build)
    seconds = time.perf_counter() - started
    scenes = list(load_scenes(build / "scenes", "test"))
    table = evaluate_network(network, scenes).assign(photo=[scene.photo for scene in scenes])
    means, photos = table.mean(numeric_only=True), table.groupby("photo").mean(numeric_only=True)
    holds = (photos["mae"] <= MAP * photos["mae_constant"]) & (photos["mse"] < photos["mse_constant"])
    errors = {key: float(means[key]) for key in ("mae", "mse", "mae_constant", "mse_constant")}
    gain = float(means["psnr"] - means["psnr_blurred"])
    return {"seconds": seconds, "gain": gain, **errors, **photos["mae"], "holds": bool(holds.all())}


def main() -> None:
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for seed in given.seeds:
        for precision in given.precisions:
            key = {"seed": seed, "precision": precision}
            changes = {f"train.common.{name}": value for name, value in {**key, "threads": given.threads}.items()}
            params = params_with(changes, "params.yaml")
            rows.append(kept(given.out, key, lambda params=params: judged(params, given.build)))
            print(pd.DataFrame(rows[-1:]).round(4).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    figures = table.drop(columns=["seed", "precision", "holds"]).agg(["mean", "std"]).round(4)
    print(figures.to_string(), f"{table['holds'].sum()} of {len(table)} trainings hold the map", sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
