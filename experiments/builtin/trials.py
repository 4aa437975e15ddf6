"""Other shapes of the network, and one change at a time of what it learns from: each trained for the same few minutes.

    nice -n 19 python -m experiments.builtin.trials shapes --minutes 8         # fresh networks on build/camera
    nice -n 19 python -m experiments.builtin.trials recipes --minutes 3        # from the shipped model

``trials.yaml`` lists them. Minutes are the processor's. Each leaves OUT/NAME.safetensors, which the benchmarks take
side by side (``benchmarks/never_worse.py``, ``pairs.py``), and a row in OUT/KIND.csv; what is there already isn't tried
again.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.builtin.go_on import CURVE, Wishes, gain, go_on
from experiments.builtin.photos import OUT as PHOTOS
from experiments.builtin.scenes import Row, render
from pipelines.stages.entry import run_stage
from sftdec.builtin import builtin_weights
from sftdec.datasets import OWN_PHOTOS
from sftdec.experiments import counted
from sftdec.networks import build_network, save_weights
from sftdec.params import NetworkConfig
from sftdec.runtime import DataError, atomic_path, keep_freed_memory, read_yaml

TRIALS = Path(__file__).with_name("trials.yaml")
SHAPE_RATE, RECIPE_RATE = 1e-3, 2e-4  # the highest learning rate, of fresh networks and of the shipped one


@dataclass(frozen=True)
class Change:
    """What a trial changes of camera.csv's training rows: cells, or rows that it goes without."""

    cells: Mapping[str, str]
    without: str  # patterns of names, with | between them

    def __call__(self, row: Row) -> Row | None:
        """A row as the trial has it; None where it is left out.

        Raises:
            DataError: a column that isn't there.
        """
        if unknown := self.cells.keys() - row.keys():
            raise DataError(f"{TRIALS}: found the column {min(unknown)!r}, expected one of {', '.join(row)}")
        if any(fnmatch(row["name"], pattern) for pattern in self.without.split("|")):
            return None
        return {**row, **self.cells}


def change_of(values: Mapping[str, Any]) -> Change:
    """A recipe trial's change, as trials.yaml has it."""
    return Change(values.get("set", {}), values.get("without", ""))


def shape(name: str, values: Mapping[str, Any], out: Path, build: Path, **how: Any) -> tuple[Wishes, Row]:
    """A fresh network's training, ``how`` as in ``Wishes``, and what it costs."""
    config = NetworkConfig.of_size("small", **values)
    start = out / name / "fresh.safetensors"
    save_weights(build_network(config), start)
    parameters, gmacs = counted(name, lambda _: build_network(config))
    costs = {"parameters": f"{parameters:.2f}", "kmacs_a_pixel": f"{gmacs:.0f}"}
    return Wishes(build, out / name, start, rate=SHAPE_RATE, **how), costs


def recipe(name: str, values: Mapping[str, Any], out: Path, share: float, **how: Any) -> tuple[Wishes, Row]:
    """A training that goes on from the shipped model on changed scenes, which are rendered."""
    count = render(out / name, PHOTOS / OWN_PHOTOS, share, 1, change_of(values))
    own = {"rate": RECIPE_RATE, "seed": values.get("seed", 0), **how}
    return Wishes(out / name, out / name, builtin_weights(), **own), {"scenes": str(count)}


def keep(table: Path, row: Mapping[str, object]) -> None:
    """Add a row to a table."""
    before = pd.read_csv(table).to_dict("records") if table.exists() else []
    with atomic_path(table) as temporary:
        pd.DataFrame([*before, row]).to_csv(temporary, index=False)


def main() -> None:
    """Try what isn't tried yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("shapes", "recipes"))
    parser.add_argument("names", nargs="*", help="of trials.yaml; left out: all")
    parser.add_argument("--minutes", type=float, required=True, help="of training, each")
    parser.add_argument("--share", type=float, default=0.1, help="of the scenes, for recipes")
    parser.add_argument("--build", type=Path, default=Path("build/camera"), help="the scenes and patches for shapes")
    parser.add_argument("--out", type=Path, default=Path("build/trials"))
    parser.add_argument("--crop", type=int, default=Wishes.crop, help="px")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    keep_freed_memory()
    known = read_yaml(TRIALS)[given.kind]
    if unknown := set(given.names) - known.keys():
        raise DataError(f"found {min(unknown)!r}, expected one of {', '.join(known)}")
    for name in given.names or known:
        weights = given.out / f"{name}.safetensors"
        if weights.exists():
            continue
        wanted, how = known[name], {"minutes": given.minutes, "threads": given.threads, "crop": given.crop}
        if given.kind == "shapes":
            wishes, about = shape(name, wanted, given.out, given.build, **how)
        else:
            wishes, about = recipe(name, wanted, given.out, given.share, **how)
        network = go_on(wishes)
        steps = int(pd.read_csv(wishes.out / CURVE)["step"].iloc[-1])
        found = gain(network, wishes.build, "cpu")
        keep(
            given.out / f"{given.kind}.csv", {"trial": name, **about, "steps": steps, "validation_gain": f"{found:.3f}"}
        )
        save_weights(network, weights)
        print(f"{name}: {steps} steps, {found:+.3f} dB on the validation photos", flush=True)


if __name__ == "__main__":
    run_stage(main)
