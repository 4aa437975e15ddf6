"""One stage of training: one visible loop."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, cast

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
from sftdec.training.state import begin
from sftdec.training.validation import validate, validation_picture

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

LOG_EVERY = 25  # steps
Network = TypeVar("Network", bound="AnyNetwork")
Report = Callable[[int, dict[str, float]], None]
Picture = Callable[[str, NDArray[np.uint8]], None]
Curve = list[dict[str, float]]


def train_stage(
    network: Network,
    store: PatchStore,
    validation: Sequence[Scene],
    objective: Objective,
    checkpoints: Checkpoints,
    report: Report = lambda step, metrics: None,
    picture: Picture = lambda name, pixels: None,
    group: Group | None = None,
    workers: int | Literal["auto"] = "auto",
) -> tuple[Network, Curve]:
    """Train ``network`` by the objective, going on from the newest checkpoint if there is one.

    ``report(step, metrics)`` hears losses, learning rate, gradient norm, speed and validation as they come,
    ``picture(name, pixels)`` the validation pictures; both in the group's first process alone. ``group`` is left out
    where one process trains alone.

    Returns:
        The averaged weights at the end (``keep: last``), or where the validation PSNR was best, the start included
        (``keep: best``), as a network on the CPU; and the curve, a row each ``LOG_EVERY`` steps.

    Raises:
        TrainingError: the loss stays no finite number, or there is not enough memory.
        EngineError: a graph is asked for where there can be none.
    """
    stage, params, common = objective.stage, objective.params, objective.common
    group = group or Group.alone(common.device)
    captured = captures(objective, group)
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
        return Engine(state, objective, group, feed, captured), feed.inputs(state.step, steps)

    def due(step: int) -> bool:
        """Whether what the steps gave is looked at, for which a GPU has to be waited for."""
        every = (LOG_EVERY, params.validate_every, params.checkpoint_every, max(1, steps))
        return group.device.type == "cpu" or any(step % each == 0 for each in every)

    if not take_newest(state, checkpoints, group):
        if params.keep == "best":
            validated()
        save()  # to which a training can go back whose first steps fail
    shown: dict[str, str] = {}
    busy, taken = 0.0, 0  # seconds and steps since the last row
    quiet = None if group.first else True  # None: where the output is no terminal
    with tqdm(total=steps, initial=state.step, desc=f"train {stage.name}", unit="step", disable=quiet) as bar:
        engine, stream = begun()
        while not done():
            started = time.monotonic()
            rate = objective.rate(state.step, steps) * state.rate_factor
            step_or_advice(state, objective, group, partial(engine.take, next(stream), rate))
            values = state.read() if due(state.step + 1) else {}
            if state.bad_in_a_row >= common.bad_steps:
                go_back(state, objective, checkpoints, group, dataset, values)
                (engine, stream), bar.n = begun(), state.step
                continue
            state.step += 1
            group.settle()
            busy, taken = busy + time.monotonic() - started, taken + 1

            found = validated() if state.step % params.validate_every == 0 or state.step == steps else {}
            if found or state.step % LOG_EVERY == 0 or done():
                means = state.means() if state.step % LOG_EVERY == 0 or done() else {}
                row = {"step": float(state.step), **means, **found}
                row |= {"skipped": float(state.skipped)} if state.skipped else {}
                state.curve.append(row)
                if group.first:
                    report(state.step, {**row, "patches_per_second": common.batch_size * taken / max(1e-9, busy)})
                busy, taken = 0.0, 0
                shown |= {key[-4:]: f"{row[key]:.4g}" for key in ("loss", "validation_psnr") if key in row}
                bar.set_postfix(shown, refresh=False)
            if group.first and validation and picture_due(objective, state.step, store.scenes):
                pixels = validation_picture(state.average, validation, stage, common)
                picture(f"validation/{stage.name}-step-{state.step:06d}.png", pixels)
            if (state.step % params.checkpoint_every == 0 and not state.bad_in_a_row) or done():
                save()
            bar.update()
    if params.keep == "best" and state.best is not None:
        state.average.load_state_dict(state.best)
    return cast(Network, state.average.cpu().eval()), state.curve


def picture_due(objective: Objective, step: int, scenes: int) -> bool:
    """Whether this is the first step after so many epochs as lie between validation pictures."""
    epochs = objective.params.pictures_every
    if epochs is None:
        return False
    every = epochs * scenes / objective.common.batch_size  # steps
    return step // every > (step - 1) // every
