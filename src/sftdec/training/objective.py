"""How a network is taught in a stage: its losses, its optimizer, its learning rate and its clipping."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from sftdec.networks import SFTDec
from sftdec.params import CommonParams, StageParams
from sftdec.training.losses import Losses, stage_loss
from sftdec.training.schedule import Stage, learning_rate

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork, Truth


@dataclass(frozen=True)
class Objective:
    """The paper's way (sec. 3.4), as ``StageParams`` and ``CommonParams`` say."""

    stage: Stage
    params: StageParams
    common: CommonParams
    can_be_captured: ClassVar[bool] = True  # a step is the same kernels each time: a CUDA graph can hold it

    @property
    def calmer(self) -> str:
        """What to set when the loss stays no number; a comparison's stages are named MODEL-BUDGET-STAGE."""
        name = self.stage.name.rpartition("-")[2]
        return f"lower train.{name}.learning_rate or set train.common.gradient_clip"

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0 ≤ ``step`` < ``steps``."""
        return learning_rate(step, steps, self.params)

    def begin_step(self, step: int) -> None:
        """What has to be done before a step: nothing, for an SFT-Dec draws no random numbers."""

    def optimizer(self, network: "AnyNetwork") -> torch.optim.Optimizer:
        """Of the network on its device."""
        betas = (self.common.beta_1, self.common.beta_2)
        return torch.optim.Adam(network.parameters(), lr=0.0, betas=betas, fused=True)

    def everything_learns(self, network: "AnyNetwork") -> bool:
        """Whether each parameter gets a gradient."""
        weights = self.params.loss
        has_guide = isinstance(network, SFTDec) and network.condition is not None
        guides = has_guide and not self.stage.guided_by_truth and not self.params.detach_map
        restores = weights.lambda_2 + weights.lambda_3 > 0
        return restores and (weights.lambda_1 > 0 or guides)

    def restore(self, model: nn.Module, truth: "Truth") -> tuple[Tensor, ...]:
        """What the model makes of the blurred pictures: ``Restoration`` or a peer's ``Restored``."""
        guide = truth.defocus if self.stage.guided_by_truth else None
        made: tuple[Tensor, ...] = model(truth.blurred, guide, detach_map=self.params.detach_map)
        return made

    def losses(self, network: "AnyNetwork", restored: tuple[Tensor, ...], truth: "Truth") -> Losses:
        """The losses of what the network has restored."""
        return stage_loss(restored[0], restored[1], truth.sharp, truth.defocus, self.params.loss)
