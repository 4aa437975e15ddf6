"""Compare training schedules on the validation photos alone; the test photos are not opened.

    python benchmarks/schedules.py CANDIDATES.yaml [--seeds 0 1 2] [--threads N] [--build build]

CANDIDATES.yaml maps a name to what is to differ from params.yaml, keys with dots:

    short: {train.common.crop: 64, train.s2.steps: 1500}

Scenes and patches are those of ``build`` (dvc repro patches makes them). Each candidate is trained through s1, s2 and
s3 with each seed. Prints a row a training as it ends, then means over seeds: PSNR of the kept weights (dB) and mean
absolute error of their map (0..1), beside the best constant map's; and the seconds of training on this machine.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from sftdec.datasets import load_scenes
from sftdec.networks import SFTDec, save_weights
from sftdec.params import Params, parse_params
from sftdec.training import STAGES, train_sft_dec, weights_path


def with_changes(values: Any, changes: dict[str, Any], source: str) -> Params:
    """The parameters ``values`` with some keys (with dots) set otherwise."""
    for key, value in changes.items():
        section = values
        *path, last = key.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    return parse_params(values, source)


def train_stages(params: Params, build: Path, own: Path) -> tuple[SFTDec, list[dict[str, float]]]:
    """Train the three stages on ``build``'s scenes and patches in the folder ``own``: s3's network, and its curve."""
    for part in ("scenes", "patches"):
        (own / part).symlink_to((build / part).resolve())
    for name in ("s1", "s2", "s3"):
        network, curve, _ = train_sft_dec(STAGES[name], params, own, own / "checkpoints")
        save_weights(network, weights_path(own, name))
    return network, curve


def train(params: Params, build: Path) -> dict[str, float]:
    """Train the three stages in a folder of their own; the validation figures of the weights that s3 keeps."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        _, curve = train_stages(params, build, Path(folder))
    validated = pd.DataFrame(curve).dropna(subset="validation_psnr")
    kept = validated.loc[validated["validation_psnr"].idxmax()]
    return {
        "psnr": float(kept["validation_psnr"]),
        "map_mae": float(kept["validation_mae"]),
        "seconds": time.perf_counter() - started,
    }


def constant_map_error(build: Path) -> float:
    """Mean absolute error of the best constant map over the validation photos: every pixel at their median."""
    maps = [scene.defocus for scene in load_scenes(build / "scenes", "validation")]
    median = np.median(np.concatenate([each.ravel() for each in maps]))
    return float(np.mean([np.abs(each - median).mean() for each in maps]))


def main() -> None:
    """Train, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build", type=Path, default=Path("build"))
    arguments = parser.parse_args()
    yaml = YAML(typ="safe", pure=True)
    rows = []
    for name, changes in yaml.load(arguments.candidates.read_text()).items():
        for seed in arguments.seeds:
            common = {"train.common.seed": seed, "train.common.threads": arguments.threads}
            values = yaml.load(Path("params.yaml").read_text())
            rows.append(
                {"schedule": name, "seed": seed} | train(with_changes(values, changes | common, name), arguments.build)
            )
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby("schedule", sort=False)[["psnr", "map_mae", "seconds"]].agg(["mean", "std"])
    print(table.round(4).to_string(), f"best constant map: {constant_map_error(arguments.build):.4f}", sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
