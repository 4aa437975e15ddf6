"""What a training step costs with each modulation, in units of sft_dec's step; no photo is evaluated.

    python benchmarks/modulations.py [--rounds N] [--build build]

Scenes and patches are those of ``build`` (dvc repro patches makes them), batch, crop, threads and precision those of
params.yaml. In each round every modulation trains every stage for some steps, one after the other, start and end of the
training left out of the seconds a step. A figure is the median over rounds, a ratio that of two medians; beside them
stand the fastest rounds and their ratios, which other programs on the machine disturb least. Where the two differ by
more than a few per cent the machine was not quiet: measure again, or take the fastest.
experiments/table3/params.yaml takes ratios over as ``step_cost``.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from sftdec.datasets import read_index, write_index
from sftdec.experiments import with_changes
from sftdec.networks import save_weights
from sftdec.params import MODULATIONS, Params, parse_params
from sftdec.training import STAGES, train_sft_dec, weights_path

UNIT = "sft_dec"
STEPS = 51  # reports come each 25: the first 25 warm up, the next 25 are measured
NEVER = 10**6


def short(values: dict[str, object], modulation: str) -> Params:
    """The parameters with trainings of a few steps that neither validate nor save on their way."""
    changes: dict[str, object] = {"network.modulation": modulation}
    for stage in ("s1", "s2", "s3"):
        own = {"steps": STEPS, "warm_up": 5, "validate_every": NEVER, "checkpoint_every": NEVER, "keep": "last"}
        changes |= {f"train.{stage}.{key}": value for key, value in own.items()}
    return parse_params(with_changes(values, changes), modulation)


def seconds_a_step(params: Params, stage: str, build: Path) -> float:
    """Train a stage and leave its weights; seconds a step between the first and the last report but one."""
    reports: list[tuple[int, float]] = []
    network, _, saved = train_sft_dec(
        STAGES[stage], params, build, build / "checkpoints", lambda step, _: reports.append((step, time.perf_counter()))
    )
    shutil.rmtree(saved.folder)  # the next round trains anew
    save_weights(network, weights_path(build, stage))
    (first, begun), (last, ended) = reports[0], reports[-2]
    return (ended - begun) / (last - first)


def measure(values: dict[str, object], rounds: int, build: Path) -> pd.DataFrame:
    """A row a round, stage and modulation: seconds a step."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        (own / "patches").symlink_to((build / "patches").resolve())
        index = read_index(build / "scenes")
        write_index(own / "scenes", index[index["split"] == "train"].to_dict("records"))  # nothing to validate on
        for turn in range(rounds):
            for stage in ("s1", "s2", "s3"):
                for modulation in MODULATIONS:
                    place = own / modulation
                    for part in ("scenes", "patches"):
                        place.mkdir(exist_ok=True)
                        if not (place / part).exists():
                            (place / part).symlink_to(own / part)
                    seconds = seconds_a_step(short(values, modulation), stage, place)
                    rows.append({"round": turn, "stage": stage, "modulation": modulation, "seconds": seconds})
                    print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Medians and minima over rounds of the seconds a step, and their ratios to the unit's of the same stage."""
    found = table.groupby(["modulation", "stage"], sort=False)["seconds"].agg(["median", "min"])
    unit = found.loc[UNIT].reindex(found.index.get_level_values("stage"))
    return found.assign(
        ratio=found["median"] / unit["median"].to_numpy(), ratio_min=found["min"] / unit["min"].to_numpy()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", type=Path, default=Path("build"))
    given = parser.parse_args()
    values = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())
    table = measure(values, given.rounds, given.build)
    found = compare(table)
    print(found.round(3).to_string())
    for kind in ("ratio", "ratio_min"):
        print(f"step_cost by {kind}:")
        for modulation, rows in found.reset_index().groupby("modulation", sort=False):
            ratios = ", ".join(f"{stage}: {ratio:.2f}" for stage, ratio in zip(rows["stage"], rows[kind], strict=True))
            print(f"  {modulation}: {{{ratios}}}")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
