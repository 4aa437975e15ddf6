"""How much of a stage's step is its convolutions, and what a step costs beside a busy process.

    python benchmarks/step.py [--sizes small paper] [--precisions fp32 bf16] [--steps 40] [--threads 2]
    python benchmarks/step.py --busy 1 [--sizes small] [--precisions fp32] [--rounds 3]

Patches of rendered scenes of data/sample; no stage needs to have run. A stage trains by ``train_stage`` itself, and
before each of its steps the other parts run once on a batch of the same shape, so that other work on the machine
disturbs all alike:

- ``convolutions``: those that the step's forward and backward make, in the precision they have there, nothing between.
- ``bare``: the loss's forward and backward, as ``take_step`` has them.
- ``stage``: from the beginning of a step to that of the next one: loading, ``bare``, clipping, Adam, moving average.

``ratio``: median over steps of a part's seconds to those of the convolutions beside it; ``cpu``: the same of the time
that this process's threads were on a core, which other work disturbs least. ``--busy``: the stage's step
beside as many busy processes as it says, waiting actively and passively (OMP_WAIT_POLICY), in turn, each time in
a process of its own; ``ratio`` is to the passive one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import schedules  # before torch: its threads then wait passively
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sftdec.datasets import Scene, read_recipes, sample
from sftdec.networks import build_network
from sftdec.params import Params
from sftdec.patches import PatchStore, batches, extract_patches, write_store
from sftdec.patches.augment import CropDataset
from sftdec.runtime import compute_exactly, keep_freed_memory
from sftdec.training import STAGES, Checkpoints, Objective, begin
from sftdec.training.distributed import Group
from sftdec.training.loop import train_stage
from sftdec.training.step import losses_of

PATCH = 128  # px
BATCHES = {"small": (8, 88), "paper": (1, 64)}  # crops and their side in px
WARM_UP = 3  # steps that aren't counted
NEVER = 10**6
SIGMA_MAX = 6.0  # px, as in params.yaml
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
Parts = dict[str, Callable[[], None]]
Clocks = tuple[float, float]


def clocks() -> Clocks:
    """Seconds on the wall and of all this process's threads on a core."""
    return time.perf_counter(), time.process_time()


def nothing(*told: object) -> None:
    """Hear a training and say nothing."""


def since(started: Clocks) -> Clocks:
    """The seconds that both clocks have gone on."""
    now = clocks()
    return now[0] - started[0], now[1] - started[1]


class _Convolutions(TorchDispatchMode):
    """Remembers every convolution that is computed, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "convolution" in func.name():
            self.calls.append(lambda: func(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Measured(Objective):
    """The objective of a stage that, before each step, runs other parts and notes everybody's seconds."""

    parts: Parts
    rows: list[dict[str, Clocks]]
    begun: list[Clocks]  # when the step began that is running

    def begin_step(self, step: int) -> None:
        """Note the step that ends here, run the parts, and begin the next."""
        if self.begun:
            self.rows[-1]["stage"] = since(self.begun.pop())
        row = {}
        for name, run in self.parts.items():
            started = clocks()
            run()
            row[name] = since(started)
        self.rows.append(row)
        super().begin_step(step)
        self.begun.append(clocks())


def parameters(size: str, precision: str, threads: int, steps: int) -> Params:
    """params.yaml with a stage of a few steps that neither validates nor saves on its way."""
    count, side = BATCHES[size]
    changes: dict[str, Any] = {"network": {"preset": size, "modulation": "sft_dec"}}
    common = {"batch_size": count, "crop": side, "threads": threads, "precision": precision, "device": "cpu"}
    stage = {
        "steps": steps,
        "warm_up": 2,
        "validate_every": NEVER,
        "checkpoint_every": NEVER,
        "keep": "last",
        "pictures_every": None,
    }
    changes |= {f"train.common.{key}": value for key, value in common.items()}
    changes |= {f"train.s2.{key}": value for key, value in stage.items()}
    return schedules.params_with(changes, f"{size}, {precision}")


def scenes(folder: Path, split: str, count: int) -> list[Scene]:
    """``count`` scenes of a split (or as many as there are), at even distances in the list of recipes."""
    recipes = [recipe for recipe in read_recipes(folder / sample.RECIPES) if recipe.split == split]
    chosen = np.linspace(0, len(recipes) - 1, min(count, len(recipes))).round().astype(int)
    return [sample.read(recipes[number], SIGMA_MAX) for number in chosen]


def parts_of(params: Params, store: PatchStore) -> Parts:
    """The bare step and its convolutions alone, on the first batch."""
    common = params.train.common
    objective, group = Objective(STAGES["s2"], params.train.s2, common), Group.alone(common.device)
    state = begin(build_network(params.network), objective, group)
    batch = next(batches(CropDataset(store, common, common.seed), 0, 1, common.batch_size))

    def bare() -> None:
        state.optimizer.zero_grad(set_to_none=True)
        losses_of(batch, state.model, state, objective).total.backward()

    bare()
    with _Convolutions() as found:
        bare()

    def convolutions() -> None:
        filled = torch.utils.deterministic.fill_uninitialized_memory
        torch.utils.deterministic.fill_uninitialized_memory = False
        for call in found.calls:
            call()
        torch.utils.deterministic.fill_uninitialized_memory = filled

    return {"convolutions": convolutions, "bare": bare}


def measure(size: str, precision: str, given: argparse.Namespace, store: PatchStore) -> list[pd.DataFrame]:
    """Seconds a step on both clocks: a row a step, a column a part; the stage's alone for ``--only-stage``."""
    params = parameters(size, precision, given.threads, given.steps + WARM_UP + 1)
    compute_exactly(given.threads)
    keep_freed_memory()
    parts = {} if given.only_stage else parts_of(params, store)
    objective = Measured(STAGES["s2"], params.train.s2, params.train.common, parts, [], [])
    with tempfile.TemporaryDirectory() as folder:
        saved, group = Checkpoints(Path(folder), "s2", "step"), Group.alone("cpu")
        train_stage(build_network(params.network), store, [], objective, saved, nothing, nothing, group, "auto")
    rows = objective.rows[WARM_UP:-1]
    return [pd.DataFrame([{part: both[clock] for part, both in row.items()} for row in rows]) for clock in (0, 1)]


def shares(wall: pd.DataFrame, cores: pd.DataFrame) -> pd.DataFrame:
    """A row a part: median milliseconds on either clock, and their median ratios to the convolutions'."""
    columns = {}
    for clock, table in (("", wall), ("cpu ", cores)):
        columns |= {f"{clock}ms": 1000 * table.median()}
        columns |= {f"{clock}ratio": table.div(table["convolutions"], axis=0).median()}
    return pd.DataFrame(columns).round(2)


def beside_busy(size: str, precision: str, given: argparse.Namespace, store: Path) -> pd.DataFrame:
    """Median seconds of a stage's step by how its threads wait: a row a round, a column a policy."""
    own = ["--sizes", size, "--precisions", precision, "--steps", str(given.steps), "--threads", str(given.threads)]
    command = [sys.executable, __file__, "--only-stage", "--store", str(store), *own]
    rows = []
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(given.busy)]
    try:
        for _ in range(given.rounds):
            row = {}
            for policy in ("ACTIVE", "PASSIVE"):
                environment = os.environ | {"OMP_WAIT_POLICY": policy}
                told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                row[policy] = json.loads(told.stdout.splitlines()[-1])
            rows.append(row)
    finally:
        for other in others:
            other.kill()
            other.wait()
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(BATCHES), choices=list(BATCHES))
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", type=int, help="processes that compute beside the stage's step")
    parser.add_argument("--rounds", type=int, default=3, help="of --busy")
    parser.add_argument("--scenes", type=int, default=12, help="rendered for training")
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    parser.add_argument("--store", type=Path, help="patches that are there already")
    parser.add_argument("--only-stage", action="store_true", help="print the stage's median seconds a step alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.store or Path(folder)
        if given.store is None:
            rendered = scenes(given.sample, "train", given.scenes)
            write_store(place, [patch for each in rendered for patch in extract_patches(each, PATCH, PATCH)], PATCH)
        store = PatchStore(place)
        for size in given.sizes:
            for precision in given.precisions:
                if given.only_stage:
                    print(measure(size, precision, given, store)[0]["stage"].median())
                    continue
                print(f"{size}, {precision}, {given.threads} threads: {'{} × {}²'.format(*BATCHES[size])}", flush=True)
                if given.busy is None:
                    print(shares(*measure(size, precision, given, store)), flush=True)
                else:
                    table = beside_busy(size, precision, given, place)
                    print(table.round(3), f"ratio: {(table['ACTIVE'] / table['PASSIVE']).median():.2f}", sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
