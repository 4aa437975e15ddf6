"""Go on training from the model that ships, on the scenes of ``experiments.builtin.scenes``, until a budget is spent.

    python -m experiments.builtin.go_on --minutes 120 [--build build/camera] [--out build/camera/go_on]

On a CPU minutes are those of its processor time, so that what else runs takes nothing from the budget; on a GPU they
are the clock's. The process is niced. Stopped at any moment, it goes on from at most a minute before, and with a larger
``--minutes`` from where it had ended. OUT/weights.safetensors are the averaged weights as of then, OUT/curve.csv
what was lost and gained on the validation photos.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, inf, pi
from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from sftdec.builtin import builtin_weights
from sftdec.datasets import load_scenes
from sftdec.evaluation import evaluate_network
from sftdec.networks import SFTDec, load_weights, read_metadata, save_weights
from sftdec.params import CommonParams, load_params
from sftdec.patches import CropDataset, PatchStore
from sftdec.runtime import DataError, atomic_path, compute_exactly, keep_freed_memory
from sftdec.training import STAGES, Checkpoints, Engine, Feed, Group, Objective, begin

PARAMS = Path(__file__).parents[2] / "params.builtin.yaml"
WEIGHTS, CURVE, STATES = "weights.safetensors", "curve.csv", "states"
READ_EVERY = 25  # steps, after which what they gave is looked at
WARM_UP = 100  # steps
LEVEL = 0.5  # of the budget at the full rate; then half a cosine, down to LAST of it
LAST = 0.02
ENDLESS = 10**9  # steps: time ends the training


@dataclass(frozen=True)
class Wishes:
    """What is trained, and for how long: ``minutes`` in all, of which this call takes ``stop`` at most.

    ``rate``: the learning rate at its highest. ``save_every``: seconds.
    """

    build: Path
    out: Path
    start: Path
    minutes: float
    stop: float = inf
    rate: float = 2e-4
    batch: int = 6
    crop: int = 120
    device: str = "auto"
    workers: int = 0
    threads: int = 2
    save_every: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("minutes", "stop", "rate", "batch", "crop", "threads"):
            if not (value := getattr(self, name)) > 0:
                raise DataError(f"--{name}: found {value}, expected above 0; give another")
        if not (self.build / "patches").is_dir():
            raise DataError(
                f"{self.build}: no patches are there; run python -m experiments.builtin.scenes --out {self.build} first"
            )


def learning_rate(highest: float, step: int, share: float) -> float:
    """The rate of a step when a share (0..1) of the budget is spent: warm-up, level, then half a cosine."""
    fallen = min(1.0, max(0.0, (share - LEVEL) / (1 - LEVEL)))
    return highest * min(1.0, (step + 1) / WARM_UP) * (LAST + (1 - LAST) * 0.5 * (1 + cos(pi * fallen)))


def objective_of(wishes: Wishes) -> Objective:
    """The built-in model's last stage, with what is wished instead."""
    params = load_params(PARAMS)
    own = {"device": wishes.device, "threads": wishes.threads, "batch_size": wishes.batch, "crop": wishes.crop}
    own |= {"seed": wishes.seed}
    common = CommonParams.model_validate({**params.train.common.model_dump(), **own})
    return Objective(STAGES["s3"], params.train.s3, common)


class Course:
    """A training that is under way: its state, the seconds it has taken, and where both are kept."""

    def __init__(self, wishes: Wishes, network: SFTDec) -> None:
        self.wishes, self.objective = wishes, objective_of(wishes)
        common = self.objective.common
        compute_exactly(common.threads, common.exact)
        self.group = Group.alone(common.device)
        self.clock: Callable[[], float] = time.process_time if self.group.device.type == "cpu" else time.monotonic
        self.state = begin(network, self.objective, self.group)
        key = hashlib.sha256(wishes.start.read_bytes()).hexdigest()[:16]
        self.saved = Checkpoints(wishes.out / STATES, "go_on", key, {"start": str(wishes.start)})
        self.seconds = 0.0  # before this call
        found = self.saved.newest()
        if found is not None:
            self.seconds = float(found.pop("seconds"))
            self.state.restore(found)
        self.began = self.clock()

    def spent(self) -> float:
        """Seconds of training, those of earlier calls included."""
        return self.seconds + self.clock() - self.began

    def save(self) -> None:
        """Write state, averaged weights and curve, each whole or not at all."""
        out, crop = self.wishes.out, self.objective.common.crop
        self.saved.save(self.state.step, {**self.state.to_dict(), "seconds": self.spent()})
        self.state.average.training_crop = crop
        save_weights(self.state.average, out / WEIGHTS)
        with atomic_path(out / CURVE) as temporary:
            pd.DataFrame(self.state.curve).to_csv(temporary, index=False, float_format="%.6g")

    def run(self) -> None:
        """Take steps until the budget is spent.

        Raises:
            DataError: the loss stays no number; what was kept before is whole.
        """
        wishes, common, state = self.wishes, self.objective.common, self.state
        store = PatchStore(wishes.build / "patches")
        feed = Feed(CropDataset(store, common, common.seed), self.objective, self.group, wishes.workers)
        engine = Engine(state, self.objective, self.group, feed)
        stream, budget, kept = feed.inputs(state.step, ENDLESS), 60 * wishes.minutes, self.spent()
        until = min(budget, self.seconds + 60 * wishes.stop)
        while self.spent() < until:
            engine.take(next(stream), learning_rate(wishes.rate, state.step, self.spent() / budget))
            state.step += 1
            if state.step % READ_EVERY:
                continue
            state.read()
            if state.bad_in_a_row >= common.bad_steps:
                raise DataError(
                    f"--rate: found {wishes.rate:g}, with which the loss was no number {state.bad_in_a_row} times in a "
                    f"row at step {state.step}; expected a rate that holds; lower it, and start again from "
                    f"{wishes.out / STATES}"
                )
            state.curve.append({"step": float(state.step), "seconds": self.spent(), **state.means()})
            if self.spent() - kept > wishes.save_every:
                self.save()
                kept = self.spent()
        state.read()
        self.save()


def gain(network: SFTDec, build: Path, device: str) -> float:
    """Mean gain in PSNR (dB) on the validation photos."""
    table = evaluate_network(network, load_scenes(build / "scenes", "validation"), device)
    return float((table["psnr"] - table["psnr_blurred"]).mean())


def go_on(wishes: Wishes) -> SFTDec:
    """Train, or go on, until the budget is spent; the averaged weights, which lie in ``wishes.out`` too.

    Raises:
        DataError: wishes that make no sense, no patches, or a loss that stays no number.
        WeightsError: ``wishes.start`` is no weights file.
    """
    read_metadata(wishes.start)
    course = Course(wishes, load_weights(wishes.start))
    before = course.state.step
    course.run()
    made = f"{course.state.step - before} steps, {course.state.step} in all, {course.spent() / 60:.1f} minutes"
    print(f"{made}; weights in {wishes.out / WEIGHTS}", flush=True)
    return load_weights(wishes.out / WEIGHTS)


def main() -> None:
    """Go on, then say what it gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="in all, earlier calls included")
    parser.add_argument("--stop", type=float, default=inf, help="minutes that this call takes at most")
    parser.add_argument("--build", type=Path, default=Path("build/camera"), help="with scenes/ and patches/")
    parser.add_argument("--out", type=Path, help="default: BUILD/go_on")
    parser.add_argument("--start", type=Path, default=builtin_weights(), help="weights to start from")
    parser.add_argument("--rate", type=float, default=Wishes.rate)
    parser.add_argument("--batch", type=int, default=Wishes.batch)
    parser.add_argument("--crop", type=int, default=Wishes.crop, help="px")
    parser.add_argument("--device", default=Wishes.device)
    parser.add_argument("--workers", type=int, default=Wishes.workers, help="that load, where a GPU can't cut itself")
    parser.add_argument("--threads", type=int, default=Wishes.threads)
    parser.add_argument("--save-every", type=float, default=Wishes.save_every, help="seconds")
    parser.add_argument("--seed", type=int, default=Wishes.seed, help="of what is shown in which order")
    parser.add_argument("--nice", type=int, default=19)
    parser.add_argument("--unjudged", action="store_true", help="don't measure the validation photos at the end")
    given = vars(parser.parse_args())
    os.nice(given.pop("nice"))
    keep_freed_memory()
    unjudged, given["out"] = given.pop("unjudged"), given["out"] or given["build"] / "go_on"
    wishes = Wishes(**given)
    network = go_on(wishes)
    if not unjudged:
        device = Group.alone(wishes.device).device.type
        start, now = (gain(each.to(device), wishes.build, device) for each in (load_weights(wishes.start), network))
        print(f"validation photos: {start:+.3f} dB at the start, {now:+.3f} dB now")


if __name__ == "__main__":
    run_stage(main)
