"""One stage of training: one visible loop."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sftdec.datasets import Scene
from sftdec.patches import Batch, CropDataset, PatchStore
from sftdec.training.checkpoint import Checkpoints
from sftdec.training.distributed import Group
from sftdec.training.engine import Engine, Feed, captures
from sftdec.training.objective import Objective
from sftdec.training.recovery import go_back, step_or_advice, take_newest
from sftdec.training.schedule import total_steps
from sftdec.training.state import TrainingState, begin
from sftdec.training.validation import validate, validation_picture

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

LOG_EVERY = 25  # steps
TOLD_EVERY = 60.0  # s, where there is no terminal
Network = TypeVar("Network", bound="AnyNetwork")
Report = Callable[[int, dict[str, float]], None]
Picture = Callable[[str, NDArray[np.uint8], int], None]
Curve = list[dict[str, float]]


def train_stage(
    network: Network,
    store: PatchStore,
    validation: Sequence[Scene],
    objective: Objective,
    checkpoints: Checkpoints,
    report: Report,
    picture: Picture,
    group: Group,
    workers: int | Literal["auto"],
) -> tuple[Network, Curve]:
    """Train ``network`` by the objective, going on from the newest checkpoint if there is one.

    ``report(step, metrics)`` hears losses, learning rate, gradient norm, speed and validation as they come,
    ``picture(key, pixels, step)`` the validation pictures; both in the group's first process alone.

    Returns:
        The averaged weights at the end (``keep: last``), or where the validation PSNR was best, the start included
        (``keep: best``), as a network on the CPU; and the curve, a row each ``LOG_EVERY`` steps.

    Raises:
        TrainingError: the loss stays no finite number, or there is not enough memory.
        EngineError: a graph is asked for where there can be none.
    """
    stage, params, common = objective.stage, objective.params, objective.common
    captures(objective, group)  # refuses what can't run before anything is written
    dataset = CropDataset(store, common, stage.seed(common.seed), by_scene=params.epochs is not None)
    steps = total_steps(params, store.scenes, common.batch_size)
    state = begin(network, objective, group)
    feed = Feed(dataset, objective, group, workers)

    def validated() -> dict[str, float]:
        found = validate(state.average, validation, stage, common, group) if validation else {}
        if found:
            state.judge(found["validation_psnr"])
        return found

    def save() -> None:
        if group.first:
            checkpoints.save(state.step, state.to_dict())

    def done() -> bool:
        waited = params.patience is not None and state.validations_since_best >= params.patience
        return waited or state.step >= steps

    def begun() -> tuple[Engine, Iterator[Batch]]:
        return Engine(state, objective, group, feed), feed.inputs(state.step, steps)

    if not take_newest(state, checkpoints, group):
        if params.keep == "best":
            validated()
        save()  # to which a training can go back whose first steps fail
    with Log(state, objective, steps, group, report) as log:
        engine, stream = begun()
        while not done():
            with log.timed():
                rate = objective.rate(state.step, steps) * state.rate_factor
                step_or_advice(state, objective, group, partial(engine.take, next(stream), rate))
                values = state.read() if looked_at(state.step + 1, steps, objective, group) else {}
            if state.bad_in_a_row >= common.bad_steps:
                go_back(state, objective, checkpoints, group, dataset, values)
                engine, stream = begun()
                continue
            state.step += 1
            group.settle()
            found = validated() if state.step % params.validate_every == 0 or state.step == steps else {}
            log.write(found, done())
            if group.first and validation and picture_due(objective, state.step, store.scenes):
                pixels = validation_picture(state.average, validation, stage, common)
                picture(f"validation/{stage.name}", pixels, state.step)
            if (state.step % params.checkpoint_every == 0 and not state.bad_in_a_row) or done():
                save()
    if params.keep == "best" and state.best is not None:
        state.average.load_state_dict(state.best)
    return cast(Network, state.average.cpu().eval()), state.curve


def looked_at(step: int, steps: int, objective: Objective, group: Group) -> bool:
    """Whether what the steps gave is looked at after this one, for which a GPU has to be waited for."""
    params = objective.params
    every = (LOG_EVERY, params.validate_every, params.checkpoint_every, max(1, steps))
    return group.device.type == "cpu" or any(step % each == 0 for each in every)


class Log:
    """What is told of a training while it goes on: the rows of its curve, to all of its ``report``; a bar, or lines."""

    def __init__(self, state: TrainingState, objective: Objective, steps: int, group: Group, report: Report) -> None:
        self.state, self.group, self.report, self.batch_size = state, group, report, objective.common.batch_size
        self.seconds, self.taken = 0.0, 0  # of steps, since the last row
        self.shown: dict[str, str] = {}
        self.steps, self.began, self.first = steps, time.monotonic(), state.step
        self.told = self.began
        self.name = f"train {objective.stage.name}"
        shown = group.first and sys.stderr.isatty()
        self.bar = tqdm(total=steps, initial=state.step, desc=self.name, unit="step", disable=not shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.bar.close()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the step inside, and its time."""
        started = time.monotonic()
        yield
        self.seconds, self.taken = self.seconds + time.monotonic() - started, self.taken + 1

    def write(self, found: dict[str, float], last: bool) -> None:
        """Note a step: a row with what validation ``found``, each ``LOG_EVERY`` steps, and after the ``last`` one."""
        state = self.state
        logged = state.step % LOG_EVERY == 0 or last
        if found or logged:
            row = {"step": float(state.step), **(state.means() if logged else {}), **found}
            row |= {"skipped": float(state.skipped)} if state.skipped else {}
            state.curve.append(row)
            if self.group.first:
                speed = self.batch_size * self.taken / max(1e-9, self.seconds)
                self.report(state.step, {**row, "patches_per_second": speed})
            self.seconds, self.taken = 0.0, 0
            self.shown |= {key[-4:]: f"{row[key]:.4g}" for key in ("loss", "validation_psnr") if key in row}
            self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(state.step - self.bar.n)
        self._tell(time.monotonic())

    def _tell(self, now: float) -> None:
        """Print a line a minute where the bar isn't shown."""
        if not self.group.first or not self.bar.disable or now - self.told < TOLD_EVERY:
            return
        step, self.told = self.state.step, now
        left = tqdm.format_interval((now - self.began) / max(1, step - self.first) * (self.steps - step))
        print(f"{self.name}: step {step} of {self.steps}, {left} left", file=sys.stderr, flush=True)


def picture_due(objective: Objective, step: int, scenes: int) -> bool:
    """Whether this is the first step after so many epochs as lie between validation pictures."""
    epochs = objective.params.pictures_every
    if epochs is None:
        return False
    every = epochs * scenes / objective.common.batch_size  # steps
    return step // every > (step - 1) // every
