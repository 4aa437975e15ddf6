"""How far seed and rounding move what params.yaml gives: whole trainings, judged on the test photos.

    python benchmarks/spread.py [--seeds 0 1 2 3 4] [--precisions bf16 fp32] [--threads 2] [--build build] [--out FILE]

Scenes and patches are those of ``build`` (dvc repro patches makes them). Prints a row a training as it ends, and keeps
it in the CSV file ``--out``: the gain (dB), the map's mean absolute and squared error beside the best constant map's,
and the absolute one on each photo. Then mean and standard deviation over the trainings, and how many of them hold the
map: on each photo an absolute error 20 % below the constant's, and a squared one below it. Where the processor has no
bfloat16, bf16 is fp32 once more.
"""

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, while torch is loaded

import pandas as pd
from ruamel.yaml import YAML
from schedules import train_stages, with_changes

from sftdec.datasets import load_scenes
from sftdec.evaluation import evaluate_network

MAP = 0.8  # of the best constant map's error, on each photo


def judged(network: Any, build: Path) -> dict[str, float | bool]:
    """A trained network's figures on the test photos."""
    scenes = list(load_scenes(build / "scenes", "test"))
    table = evaluate_network(network, scenes).assign(photo=[scene.photo for scene in scenes])
    means, photos = table.mean(numeric_only=True), table.groupby("photo").mean(numeric_only=True)
    holds = (photos["mae"] <= MAP * photos["mae_constant"]) & (photos["mse"] < photos["mse_constant"])
    errors = {key: float(means[key]) for key in ("mae", "mse", "mae_constant", "mse_constant")}
    return {"gain": float(means["psnr"] - means["psnr_blurred"]), **errors, **photos["mae"], "holds": bool(holds.all())}


def main() -> None:
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        for precision in arguments.precisions:
            changes = {"seed": seed, "precision": precision, "threads": arguments.threads}
            values = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())
            params = with_changes(values, {f"train.common.{key}": value for key, value in changes.items()}, "params")
            started = time.perf_counter()
            with TemporaryDirectory() as folder:
                network, _ = train_stages(params, arguments.build, Path(folder))
            seconds = time.perf_counter() - started
            rows.append({"seed": seed, "precision": precision, "seconds": seconds, **judged(network, arguments.build)})
            print(pd.DataFrame(rows[-1:]).round(4).to_string(index=False), flush=True)
            if arguments.out is not None:
                pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.6g")
    table = pd.DataFrame(rows)
    figures = table.drop(columns=["seed", "precision", "holds"]).agg(["mean", "std"]).round(4)
    print(figures.to_string(), f"{table['holds'].sum()} of {len(table)} trainings hold the map", sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
