"""One stage of training: one visible loop."""

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sftdec.datasets import Scene
from sftdec.patches import Batch, CropDataset, PatchStore, batches
from sftdec.peers import AnyNetwork
from sftdec.runtime import is_out_of_memory
from sftdec.training.checkpoint import Checkpoints
from sftdec.training.distributed import Group
from sftdec.training.objective import Objective
from sftdec.training.recovery import (
    TrainingError,
    fitting,
    memory_advice,
    probe,
    save_batch,
)
from sftdec.training.schedule import total_steps
from sftdec.training.state import begin
from sftdec.training.step import Stepper, take_step
from sftdec.training.validation import validate, validation_picture

LOG_EVERY = 25  # steps
Network = TypeVar("Network", bound=AnyNetwork)
Report = Callable[[int, dict[str, float]], None]
Picture = Callable[[str, NDArray[np.uint8]], None]


class Training:
    """One stage under way: its state, and what happens every so many steps.

    ``report(step, metrics)`` hears losses, learning rate, gradient norm, speed and validation as they come,
    ``picture(name, pixels)`` the validation pictures; both in the group's first process alone.
    """

    def __init__(
        self,
        network: AnyNetwork,
        dataset: CropDataset,
        validation: Sequence[Scene],
        objective: Objective,
        checkpoints: Checkpoints,
        report: Report,
        picture: Picture,
        group: Group,
    ) -> None:
        self.dataset, self.validation, self.objective, self.group = dataset, validation, objective, group
        self.stage, self.params, self.common = objective.stage, objective.params, objective.common
        params, common = self.params, self.common
        self.checkpoints, self.report, self.picture = checkpoints, report, picture
        self.steps = total_steps(params, len(dataset.store), common.batch_size)
        self.state = begin(network, objective, common, group.device)
        self.stepper = Stepper.of(network, objective, common, group)
        if not self._restore():
            if params.keep == "best":
                self._validate()
            self._save()  # to which a training can go back whose first steps fail
        self._since, self._busy, self._taken = time.monotonic(), 0.0, 0  # how long steps took since the last row

    @property
    def done(self) -> bool:
        """Whether all steps are taken, or validation has found nothing better for too long."""
        patience = self.params.patience
        waited = patience is not None and self.state.validations_since_best >= patience
        return waited or self.state.step >= self.steps

    def advance(self, batch: Batch) -> bool:
        """Take one step. False: too many losses in a row were no number, and the state is an earlier one again.

        Raises:
            TrainingError: that happened too often, or there is not enough memory.
        """
        state = self.state
        rate = self.objective.rate(state.step, self.steps) * state.rate_factor
        self.objective.begin_step(state.step)
        values = self._step_or_advise(batch, rate)
        if "skipped" not in values:
            state.bad_in_a_row = 0
            for key, value in {**values, "steps": 1.0}.items():
                state.sums[key] = state.sums.get(key, 0.0) + value
        else:
            state.skipped, state.bad_in_a_row = state.skipped + 1, state.bad_in_a_row + 1
            if state.bad_in_a_row >= self.common.bad_steps:
                self._go_back(values)
                return False
        state.step += 1
        return True

    def after_step(self) -> dict[str, float]:
        """Log, validate and save when it is time; returns what was logged."""
        state, step, row = self.state, self.state.step, {}
        self._busy, self._taken = self._busy + time.monotonic() - self._since, self._taken + 1
        validated = self._validate() if step % self.params.validate_every == 0 or step == self.steps else {}
        if step % LOG_EVERY == 0 or self.done:
            count = state.sums.pop("steps", 0.0)
            row = {"step": float(step), **{key: total / count for key, total in state.sums.items()}}
            state.sums = {}
        if validated:
            row = {**({"step": float(step)} | row), **validated}
        if row:
            row |= {"skipped": float(state.skipped)} if state.skipped else {}
            state.curve.append(row)
            speed = self.common.batch_size * self._taken / max(1e-9, self._busy)
            self._busy, self._taken = 0.0, 0
            if self.group.first:
                self.report(step, {**row, "patches_per_second": speed})
        self._show(step)
        if (step % self.params.checkpoint_every == 0 and not state.bad_in_a_row) or self.done:
            self._save()
        self._since = time.monotonic()
        return row

    def result(self) -> AnyNetwork:
        """The network with the weights that the stage keeps."""
        average: AnyNetwork = self.state.average.module  # type: ignore[assignment]
        if self.params.keep == "best" and self.state.best is not None:
            average.load_state_dict(self.state.best)
        return average.cpu().eval()

    def _restore(self) -> bool:
        """Take over the newest checkpoint, which the first process reads for all; whether there is one."""
        saved: dict[str, Any] | None = self.group.from_first(self.checkpoints.newest() if self.group.first else None)
        if saved is not None:
            self.state.restore(saved)
        return saved is not None

    def _save(self) -> None:
        if self.group.first:
            self.checkpoints.save(self.state.step, self.state.to_dict())

    def _validate(self) -> dict[str, float]:
        """Validate the averaged weights; remember them if they are the best so far."""
        average: AnyNetwork = self.state.average.module  # type: ignore[assignment]
        if not self.validation:
            return {}
        found = validate(average, self.validation, self.stage, self.common, self.group)
        self.state.validations_since_best += 1
        if found["validation_psnr"] > self.state.best_psnr:
            self.state.best_psnr, self.state.best = found["validation_psnr"], copy.deepcopy(average.state_dict())
            self.state.validations_since_best = 0
        return found

    def _show(self, step: int) -> None:
        """A validation picture where the first step after so many epochs is."""
        if self.params.pictures_every is None or not self.validation or not self.group.first:
            return
        every = self.params.pictures_every * len(self.dataset.store) / self.common.batch_size  # steps
        if step // every > (step - 1) // every:
            average: AnyNetwork = self.state.average.module  # type: ignore[assignment]
            pixels = validation_picture(average, self.validation, self.stage, self.common)
            self.picture(f"validation/{self.stage.name}-step-{step:06d}.png", pixels)

    def _go_back(self, values: dict[str, float]) -> None:
        """Take the last checkpoint again, with a smaller rate; or stop, if that was done often enough."""
        state, common = self.state, self.common
        name, at, returns, skipped = self.stage.name, state.step, state.returns + 1, state.skipped
        if returns > common.returns:
            first = at * common.batch_size
            path = self.checkpoints.folder / "bad_batch.json"
            if self.group.first:
                save_batch(path, self.dataset, range(first, first + common.batch_size), values)
            raise TrainingError(
                f"stage {name}, step {at}: {common.bad_steps} losses in a row were no finite number, also after going "
                f"back {common.returns} times with a smaller learning rate; the patches of the last batch stand in "
                f"{path}: look at them, {self.objective.calmer}"
            )
        factor = state.rate_factor * common.return_rate
        self._restore()
        state.returns, state.rate_factor, state.skipped, state.bad_in_a_row = returns, factor, skipped, 0
        tqdm.write(
            f"stage {name}, step {at}: {common.bad_steps} losses in a row were no finite number; back to step "
            f"{state.step} with {factor:g} times the learning rate"
        )

    def _step_or_advise(self, batch: Batch, rate: float) -> dict[str, float]:
        """Take the step; where its memory isn't there, find out what would fit."""
        try:
            return take_step(self.state, self.stepper, batch, rate)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self.state.optimizer.zero_grad(set_to_none=True)  # here the failed step's tensors are gone
        share, crop = self.common.batch_size // self.group.size, self.common.crop
        trial = self.stepper.trial(self.state.network)
        found = fitting(share // self.common.accumulate, crop, probe(trial))
        raise TrainingError(memory_advice(share, crop, self.common.accumulate, found))


def train_stage(
    network: Network,
    store: PatchStore,
    validation: Sequence[Scene],
    objective: Objective,
    checkpoints: Checkpoints,
    report: Report = lambda step, metrics: None,
    picture: Picture = lambda name, pixels: None,
    group: Group | None = None,
) -> tuple[Network, list[dict[str, float]]]:
    """Train ``network`` by the objective, going on from the newest checkpoint if there is one.

    ``report`` and ``picture`` are ``Training``'s; ``group`` is left out where one process trains alone.

    Returns:
        The averaged weights at the end (``keep: last``), or where the validation PSNR was best, the start included
        (``keep: best``), as a network on the CPU; and the curve, a row each ``LOG_EVERY`` steps.

    Raises:
        TrainingError: the loss stays no finite number, or there is not enough memory.
    """
    stage, common = objective.stage, objective.common
    group = group or Group.alone(common.device)
    dataset = CropDataset(store, common, common.seed)
    training = Training(network, dataset, validation, objective, checkpoints, report, picture, group)
    shown: dict[str, str] = {}
    quiet = None if group.first else True  # None: where the output is no terminal
    with tqdm(total=training.steps, desc=f"train {stage.name}", unit="step", disable=quiet) as bar:
        while not training.done:
            first, pinned = training.state.step, group.device.type == "cuda"
            bar.n = first
            shares = (common.workers, pinned, group.rank, group.size)
            for batch in batches(dataset, first, training.steps, common.batch_size, *shares):
                if not training.advance(batch):
                    break  # the state is an earlier one: the batches after that one are next
                row = training.after_step()
                shown |= {key[-4:]: f"{row[key]:.4g}" for key in ("loss", "validation_psnr") if key in row}
                bar.set_postfix(shown, refresh=False)
                bar.update()
                if training.done:
                    break
    result: Network = training.result()  # type: ignore[assignment]
    return result, training.state.curve
