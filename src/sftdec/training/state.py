"""Everything that training changes, and how it begins."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sftdec.runtime import training_dtype
from sftdec.training.distributed import Group
from sftdec.training.objective import Objective
from sftdec.training.tally import Tally

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

_PARTS = ("network", "average", "optimizer", "scaler")  # which have a state of their own
_MADE_ANEW = {"model", "device", "dtype", "tally"}


@dataclass
class TrainingState:
    """Everything that training changes, in the order it changes it.

    ``model`` is ``network`` as it is called: shared by the processes, and compiled if asked for. What the ``tally`` has
    isn't here before it is read.
    """

    model: nn.Module
    network: "AnyNetwork"
    average: "AnyNetwork"
    optimizer: torch.optim.Optimizer
    device: torch.device
    dtype: torch.dtype  # of the network's products
    tally: Tally
    scaler: torch.amp.GradScaler | None = None  # of the loss, where the products are float16
    step: int = 0
    averaged: int = 0  # how often the average has followed the network
    best: dict[str, Tensor] | None = None
    best_psnr: float = -np.inf
    validations_since_best: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)  # of the steps since the curve's last row
    rate_factor: float = 1.0  # of the learning rate: below 1 after going back
    skipped: int = 0  # steps without an update, for their loss or gradient was no number
    bad_in_a_row: int = 0
    returns: int = 0  # to a checkpoint

    def to_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint; of random numbers the CPU's and the used GPU's."""
        kept = {key: value for key, value in vars(self).items() if key not in _MADE_ANEW}
        for part in _PARTS:
            kept[part] = None if kept[part] is None else kept[part].state_dict()
        on_gpu = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return kept | {"random": torch.get_rng_state(), "random_cuda": on_gpu}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a checkpoint, whatever it was made on."""
        torch.set_rng_state(saved["random"])
        if self.device.type == "cuda" and saved["random_cuda"] is not None:
            torch.cuda.set_rng_state(saved["random_cuda"], self.device)
        for key in vars(self).keys() - _MADE_ANEW:
            if key not in _PARTS:
                setattr(self, key, saved[key])
            elif getattr(self, key) is not None and saved[key] is not None:
                getattr(self, key).load_state_dict(saved[key])
        self.tally = Tally(self.device, self.averaged, self.bad_in_a_row)

    def renew_scaler(self) -> None:
        """Have the scaler forget the step that it is in, which isn't gone on with."""
        if self.scaler is not None:
            kept, self.scaler = self.scaler.state_dict(), torch.amp.GradScaler(self.device.type)
            self.scaler.load_state_dict(kept)

    def read(self) -> dict[str, float]:
        """Wait for what the steps since the last reading gave, and count it; returns the last one's values."""
        sums, last, (steps, skipped, self.averaged, self.bad_in_a_row) = self.tally.read()
        self.skipped += skipped
        if steps:
            for key, value in {**sums, "steps": float(steps)}.items():
                self.sums[key] = self.sums.get(key, 0.0) + value
        return last

    def means(self) -> dict[str, float]:
        """The mean of each value over the steps since the curve's last row, which are counted afresh from here."""
        steps, sums = self.sums.pop("steps", 0.0), self.sums
        self.sums = {}
        return {key: total / steps for key, total in sums.items()}

    @torch.no_grad()
    def follow(self, decay: float, finite: Tensor) -> None:
        """Move the average towards the network where ``finite``: an exponential moving average.

        The decay warms up, so that short trainings aren't held at their start; fresh weights count for nothing.
        """
        count = self.tally.averaged
        now = ((1 + count) / (10 + count)).clamp(max=decay) * (count > 0)
        weight = ((1 - now) * finite).float()
        averages: list[Any] = list(self.average.parameters())
        parameters: list[Any] = list(self.network.parameters())
        if self.device.type == "cuda":  # a few launches; lerp with a tensor as weight is one for each parameter
            away: Any = torch._foreach_sub(parameters, averages)
            torch._foreach_mul_(away, weight)
            torch._foreach_add_(averages, away)
        else:
            for average, parameter in zip(averages, parameters, strict=True):
                average.lerp_(parameter, weight)
        for own, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
            own.copy_(torch.where(finite, current, own))

    def judge(self, psnr: float) -> None:
        """Remember the averaged weights if they are the best so far."""
        self.validations_since_best += 1
        if psnr > self.best_psnr:
            self.best_psnr, self.best = psnr, copy.deepcopy(self.average.state_dict())
            self.validations_since_best = 0


def begin(network: "AnyNetwork", objective: Objective, group: Group) -> TrainingState:
    """The state before the first step: the network on its device, its average, and the optimizer."""
    common = objective.common
    network = network.to(group.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    network.checkpoint_activations = common.checkpoint_activations
    average = copy.deepcopy(network).eval()  # it is only looked at; some peers drop features out while they learn
    optimizer = objective.optimizer(network)
    model = group.wrap(network, unused=not objective.everything_learns(network))
    called = torch.compile(model) if common.engine == "compiled" else model
    dtype = training_dtype(group.device, common.precision)
    scaler = torch.amp.GradScaler(group.device.type) if dtype == torch.float16 else None
    tally = Tally(group.device)
    return TrainingState(called, network, average, optimizer, group.device, dtype, tally, scaler)  # type: ignore[arg-type]
