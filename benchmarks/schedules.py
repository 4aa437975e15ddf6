"""Compare training schedules on the validation photos alone; the test photos are not opened.

    python benchmarks/schedules.py CANDIDATES.yaml [--seeds 0 1 2] [--threads N] [--build build] [--out FILE.csv]

CANDIDATES.yaml maps a name to what is to differ from params.yaml, keys with dots:

    short: {train.common.crop: 64, train.s2.steps: 1500}

Scenes and patches are those of ``build`` (dvc repro patches makes them). Each candidate is trained through s1, s2 and
s3 with each seed. Prints a row a training as it ends, then means over seeds: PSNR of the kept weights (dB) and mean
absolute error of their map (0..1), beside the best constant map's; and the seconds of training on this machine.
With ``--out`` rows are kept in that file, and a training that has one there isn't done again.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as stages do; it is read once, while torch is loaded

import numpy as np
import pandas as pd

from sftdec.datasets import load_scenes
from sftdec.experiments import with_changes
from sftdec.networks import SFTDec, save_weights
from sftdec.params import Params, parse_params
from sftdec.runtime import read_yaml
from sftdec.training import STAGES, train_sft_dec, weights_path

STAGE_NAMES = ("s1", "s2", "s3")
Row = dict[str, Any]
Report = Callable[[str, int, dict[str, float]], None]


def params_with(changes: dict[str, Any], name: str) -> Params:
    """params.yaml with some keys (with dots) set otherwise; ``name`` it has in errors."""
    return parse_params(with_changes(read_yaml(Path("params.yaml")), changes), name)


def train_stages(
    params: Params, build: Path, report: Report = lambda stage, step, metrics: None
) -> tuple[SFTDec, list[dict[str, float]]]:
    """Train the three stages on ``build``'s scenes and patches in a folder of their own.

    ``report(stage, step, metrics)`` hears what each tells. Returns s3's network, and its curve.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        for part in ("scenes", "patches"):
            (own / part).symlink_to((build / part).resolve())
        for name in STAGE_NAMES:
            network, curve, _ = train_sft_dec(
                STAGES[name], params, own, own / "checkpoints", lambda *told, name=name: report(name, *told)
            )
            save_weights(network, weights_path(own, name))
    return network, curve


def kept(out: Path | None, key: Row, make: Callable[[], Row]) -> Row:
    """The row of this key: the one in the CSV file ``out``, or else one that is made now and added there."""
    table = pd.read_csv(out) if out is not None and out.exists() else pd.DataFrame(columns=list(key))
    there = table[(table[list(key)].astype(str) == pd.Series(key).astype(str)).all(axis=1)]
    if len(there):
        return {str(name): value for name, value in there.iloc[0].items()}
    row = key | make()
    if out is not None:
        pd.concat([table, pd.DataFrame([row])]).to_csv(out, index=False, float_format="%.6g")
    return row


def train(params: Params, build: Path) -> Row:
    """Train the three stages; the validation figures of the weights that s3 keeps."""
    started = time.perf_counter()
    _, curve = train_stages(params, build)
    validated = pd.DataFrame(curve).dropna(subset="validation_psnr")
    best = validated.loc[validated["validation_psnr"].idxmax()]
    figures = {"psnr": float(best["validation_psnr"]), "map_mae": float(best["validation_mae"])}
    return figures | {"seconds": time.perf_counter() - started}


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
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for name, changes in read_yaml(given.candidates).items():
        for seed in given.seeds:
            common = {"train.common.seed": seed, "train.common.threads": given.threads}
            params, key = params_with(changes | common, name), {"schedule": name, "seed": seed}
            rows.append(kept(given.out, key, lambda params=params: train(params, given.build)))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby("schedule", sort=False)[["psnr", "map_mae", "seconds"]].agg(["mean", "std"])
    print(table.round(4).to_string(), f"best constant map: {constant_map_error(given.build):.4f}", sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
