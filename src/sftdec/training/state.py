"""Everything that training changes, and how it begins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from sftdec.params import CommonParams
from sftdec.peers import AnyNetwork
from sftdec.training.objective import Objective

_PLAIN = (
    "step",
    "best",
    "best_psnr",
    "validations_since_best",
    "curve",
    "sums",
    "rate_factor",
    "skipped",
    "bad_in_a_row",
    "returns",
)  # what a checkpoint keeps beside the state dictionaries


@dataclass
class TrainingState:
    """Everything that training changes, in the order it changes it."""

    network: AnyNetwork
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0
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
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),  # of no device: an empty list
            **{key: getattr(self, key) for key in _PLAIN},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint."""
        for part in ("network", "average", "optimizer"):
            getattr(self, part).load_state_dict(saved[part])
        torch.set_rng_state(saved["random"])
        torch.cuda.set_rng_state_all(saved["random_cuda"])
        for key in _PLAIN:
            setattr(self, key, saved[key])


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential moving average whose decay warms up, so that short trainings aren't held at their start."""

    def update(averages: list[Tensor], values: list[Tensor], count: Any) -> None:
        now = min(decay, (1 + float(count)) / (10 + float(count)))
        torch._foreach_lerp_(averages, values, 1 - now)

    return update


def begin(network: AnyNetwork, objective: Objective, common: CommonParams, device: torch.device) -> TrainingState:
    """The state before the first step: the network on its device, its average, and the optimizer."""
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    network.checkpoint_activations = common.checkpoint_activations
    average = AveragedModel(network, multi_avg_fn=_moving_average(common.ema_decay))
    average.eval()  # it is only looked at; some peers drop features out while they learn
    return TrainingState(network, average, objective.optimizer(network))
