"""Everything that training changes, and how it begins."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sftdec.training.distributed import Group
from sftdec.training.objective import Objective

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork


@dataclass
class TrainingState:
    """Everything that training changes, in the order it changes it.

    ``model`` is ``network`` as it is called: shared by the processes, and compiled if asked for.
    """

    model: nn.Module
    network: "AnyNetwork"
    average: "AnyNetwork"
    optimizer: torch.optim.Optimizer
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
        """Plain values and tensors, for a checkpoint."""
        kept = {key: value for key, value in vars(self).items() if key != "model"}
        for part in ("network", "average", "optimizer"):
            kept[part] = kept[part].state_dict()
        random = {"random": torch.get_rng_state(), "random_cuda": torch.cuda.get_rng_state_all()}  # no device: none
        return kept | random

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a checkpoint."""
        torch.set_rng_state(saved["random"])
        torch.cuda.set_rng_state_all(saved["random_cuda"])
        for key in vars(self).keys() - {"model"}:
            if key in ("network", "average", "optimizer"):
                getattr(self, key).load_state_dict(saved[key])
            else:
                setattr(self, key, saved[key])

    def count(self, values: Mapping[str, float]) -> None:
        """Add a step's values to those since the curve's last row, or count it as one without an update."""
        self.bad_in_a_row = self.bad_in_a_row + 1 if "skipped" in values else 0
        if "skipped" in values:
            self.skipped += 1
            return
        for key, value in {**values, "steps": 1.0}.items():
            self.sums[key] = self.sums.get(key, 0.0) + value

    def means(self) -> dict[str, float]:
        """The mean of each value over the steps since the curve's last row, which are counted afresh from here."""
        steps, sums = self.sums.pop("steps", 0.0), self.sums
        self.sums = {}
        return {key: total / steps for key, total in sums.items()}

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the network: an exponential moving average.

        The decay warms up, so that short trainings aren't held at their start; fresh weights count for nothing.
        """
        count, self.averaged = self.averaged, self.averaged + 1
        now = min(decay, (1 + count) / (10 + count)) if count else 0.0
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - now)
        for own, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
            own.copy_(current)

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
    return TrainingState(torch.compile(model) if common.compile else model, network, average, optimizer)  # type: ignore[arg-type]
