"""One step of the optimizer: a batch in one part or several, by one process or several."""

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sftdec.patches import Batch
from sftdec.peers import Truth
from sftdec.runtime import autocast
from sftdec.training.distributed import Group
from sftdec.training.losses import Losses
from sftdec.training.objective import Objective
from sftdec.training.state import TrainingState

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

TERMS = ("loss", "loss_dme", "loss_df", "loss_wd")  # as in ``Losses``


def take_step(state: TrainingState, objective: Objective, group: Group, batch: Batch, rate: float) -> dict[str, float]:
    """One step by this process's share of a batch: the loss terms, the gradient's norm before clipping and ``rate``.

    Where the loss or the norm is no finite number nothing is updated, and ``skipped`` is 1.
    """
    state.optimizer.zero_grad(set_to_none=True)
    means = _gradient(state, objective, group, batch)
    limit = math.inf if objective.gradient_clip is None else objective.gradient_clip
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), limit)
    *terms, found = torch.cat([means, norm.detach().float().reshape(1)]).tolist()
    values = dict(zip(TERMS, terms, strict=True)) | {"gradient_norm": found, "learning_rate": rate}
    if not all(map(math.isfinite, [*terms, found])):
        return values | {"skipped": 1.0}
    for each in state.optimizer.param_groups:
        each["lr"] = rate
    state.optimizer.step()
    state.follow(objective.common.ema_decay)
    return values


def _gradient(state: TrainingState, objective: Objective, group: Group, batch: Batch) -> Tensor:
    """Put the batch's gradient into the weights; returns the mean loss terms (``TERMS``), alike in all processes.

    Its parts are weighted alike, so that they add up to the whole batch; only the last one exchanges gradients.
    """
    parts, means = objective.common.accumulate, torch.zeros(len(TERMS), device=group.device)
    for number in range(parts):
        part = {key: picture.chunk(parts)[number] for key, picture in batch.items()}
        unshared: Any = state.model.no_sync if group.size > 1 and number < parts - 1 else nullcontext
        with unshared():
            losses = losses_of(part, state.model, state.network, objective, group.device)
            (losses.total / parts).backward()  # type: ignore[no-untyped-call]
        means += torch.stack([term.detach().float() for term in losses]) / parts
    return group.mean(means)


def losses_of(
    batch: Batch, model: nn.Module, network: "AnyNetwork", objective: Objective, device: torch.device
) -> Losses:
    """The losses of a batch; ``model``: the network as it is called."""
    truth = _to_device(batch, device)
    with autocast(device, objective.common.precision):
        restored = objective.restore(model, truth)
    return objective.losses(network, restored, truth)


def _to_device(batch: Batch, device: torch.device) -> Truth:
    """Blurred and sharp N×3×S×S in 0..1 and defocus N×1×S×S, channels last."""

    def moved(picture: Tensor) -> Tensor:
        return picture.to(device, non_blocking=True).to(memory_format=torch.channels_last)

    return Truth(moved(batch["blurred"]).float() / 255, moved(batch["sharp"]).float() / 255, moved(batch["defocus"]))
