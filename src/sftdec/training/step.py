"""One step of the optimizer: a batch in one part or several, by one process or several."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sftdec.params import CommonParams
from sftdec.patches import Batch
from sftdec.peers import AnyNetwork, Truth
from sftdec.runtime import autocast
from sftdec.training.distributed import Group
from sftdec.training.losses import Losses
from sftdec.training.objective import Objective
from sftdec.training.state import TrainingState

TERMS = ("loss", "loss_dme", "loss_df", "loss_wd")


@dataclass(frozen=True)
class Stepper:
    """What every step of a stage needs; ``model`` is ``network``, wrapped and compiled as the parameters say."""

    model: nn.Module
    network: AnyNetwork
    objective: Objective
    common: CommonParams
    group: Group

    @classmethod
    def of(cls, network: AnyNetwork, objective: Objective, common: CommonParams, group: Group) -> "Stepper":
        """The network as it is trained: shared by the processes, compiled if asked for."""
        model = group.wrap(network, unused=not objective.everything_learns(network))
        return cls(torch.compile(model) if common.compile else model, network, objective, common, group)  # type: ignore[arg-type]

    def gradient(self, batch: Batch) -> Tensor:
        """Put the batch's gradient into the weights; returns the mean loss terms (``TERMS``), alike in all processes.

        The batch is this process's share; its parts are weighted alike, so that they add up to the whole batch.
        """
        parts, means = self.common.accumulate, torch.zeros(len(TERMS), device=self.group.device)
        for number in range(parts):
            last = number == parts - 1
            with nullcontext() if last or self.group.size == 1 else self._unshared():
                losses = self.losses({key: picture.chunk(parts)[number] for key, picture in batch.items()})
                (losses.total / parts).backward()  # type: ignore[no-untyped-call]
            terms = (losses.total, losses.dme, losses.df, losses.wd)
            means += torch.stack([term.detach().float() for term in terms]) / parts
        return self.group.mean(means)

    def losses(self, batch: Batch) -> Losses:
        """The losses of a batch."""
        truth = to_device(batch, self.group.device)
        with autocast(self.group.device, self.common.precision):
            restored = self.objective.restore(self.model, truth)
        return self.objective.losses(self.network, restored, truth)

    def trial(self, network: AnyNetwork) -> Callable[[int, int], None]:
        """A gradient of so many crops of so many px, in this process alone and then forgotten: does it find memory?"""
        alone = replace(self, model=network)

        def step(count: int, crop: int) -> None:
            pair = {key: torch.zeros(count, 3, crop, crop, dtype=torch.uint8) for key in ("blurred", "sharp")}
            try:
                alone.losses({**pair, "defocus": torch.zeros(count, 1, crop, crop)}).total.backward()  # type: ignore[no-untyped-call]
            finally:
                network.zero_grad(set_to_none=True)

        return step

    def _unshared(self) -> Any:
        """Only the last part's backward pass exchanges gradients."""
        return self.model.no_sync()  # type: ignore[operator]


def to_device(batch: Batch, device: torch.device) -> Truth:
    """Blurred and sharp N×3×S×S in 0..1 and defocus N×1×S×S, channels last."""

    def moved(picture: Tensor) -> Tensor:
        return picture.to(device, non_blocking=True).to(memory_format=torch.channels_last)

    return Truth(moved(batch["blurred"]).float() / 255, moved(batch["sharp"]).float() / 255, moved(batch["defocus"]))


def take_step(state: TrainingState, stepper: Stepper, batch: Batch, rate: float) -> dict[str, float]:
    """One step: the loss terms, the gradient's norm before clipping and ``rate``.

    Where the loss or the norm is no finite number nothing is updated, and ``skipped`` is 1.
    """
    state.optimizer.zero_grad(set_to_none=True)
    means = stepper.gradient(batch)
    clip = stepper.objective.gradient_clip
    limit = float("inf") if clip is None else clip
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), limit)
    *terms, found = torch.cat([means, norm.detach().float().reshape(1)]).tolist()
    values = dict(zip(TERMS, terms, strict=True)) | {"gradient_norm": found, "learning_rate": rate}
    if not all(map(math.isfinite, [*terms, found])):
        return values | {"skipped": 1.0}
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.step()
    state.average.update_parameters(state.network)
    return values
