"""One step of the optimizer: a batch in one part or several, by one process or several. No GPU is waited for."""

import math
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from sftdec.patches import Batch
from sftdec.peers import Truth
from sftdec.runtime import mixed
from sftdec.training.distributed import Group
from sftdec.training.losses import Losses
from sftdec.training.objective import Objective
from sftdec.training.state import TrainingState


def take_step(state: TrainingState, objective: Objective, group: Group, batch: Batch, rate: float | Tensor) -> None:
    """One step by this process's share of a batch; ``state.tally`` gets its losses, gradient norm and ``rate``.

    Where loss or norm is no finite number nothing is updated, and the step is counted as skipped. A ``rate`` that is a
    tensor (float64, on the device) is the optimizer's business.
    """
    if isinstance(rate, float):
        for each in state.optimizer.param_groups:
            each["lr"] = rate
        rate = torch.full((), rate, dtype=torch.float64, device=group.device)
    state.optimizer.zero_grad(set_to_none=True)
    means = _gradient(state, objective, group, batch)
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)
    clip = objective.common.gradient_clip
    limit = math.inf if clip is None else clip
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), limit)
    values = torch.cat([means, norm.detach().float().reshape(1)])
    finite = values.isfinite().all()
    _update(state, finite)
    state.follow(objective.common.ema_decay, finite)
    state.tally.add(torch.cat([values.double(), rate.reshape(1)]), finite)


def _update(state: TrainingState, finite: Tensor) -> None:
    """A step of the optimizer where ``finite``; a fused one reads that on the device, others are told here."""
    optimizer: Any = state.optimizer
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.grad_scale, optimizer.found_inf = None, (~finite).float()
        optimizer.step()
    elif finite:
        optimizer.step()
    if state.scaler is not None:
        state.scaler.update()


def _gradient(state: TrainingState, objective: Objective, group: Group, batch: Batch) -> Tensor:
    """Put the batch's gradient into the weights; returns the mean loss terms (``Losses``), alike in all processes.

    Its parts are weighted alike, so that they add up to the whole batch; only the last one exchanges gradients.
    """
    parts, means = objective.common.accumulate, torch.zeros(len(Losses._fields), device=group.device)
    for number in range(parts):
        part = {key: picture.chunk(parts)[number] for key, picture in batch.items()}
        unshared: Any = state.model.no_sync if group.size > 1 and number < parts - 1 else nullcontext
        with unshared():
            losses = losses_of(part, state.model, state, objective)
            total = losses.total / parts
            (total if state.scaler is None else state.scaler.scale(total)).backward()  # type: ignore[no-untyped-call]
        means += torch.stack([term.detach().float() for term in losses]) / parts
    return group.mean(means)


def losses_of(batch: Batch, model: nn.Module, state: TrainingState, objective: Objective) -> Losses:
    """The losses of a batch; ``model``: the state's, or its network where this process computes for itself alone."""
    truth = _to_device(batch, state.device)
    with mixed(state.device, state.dtype):
        restored = objective.restore(model, truth)
    return objective.losses(state.network, restored, truth)


def _to_device(batch: Batch, device: torch.device) -> Truth:
    """Blurred and sharp N×3×S×S in 0..1 and defocus N×1×S×S, channels last."""

    def moved(picture: Tensor) -> Tensor:
        return picture.to(device, non_blocking=True).to(memory_format=torch.channels_last)

    return Truth(moved(batch["blurred"]).float() / 255, moved(batch["sharp"]).float() / 255, moved(batch["defocus"]))
