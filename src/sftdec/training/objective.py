"""How a network is taught in a stage: its losses, its optimizer, its learning rate and its clipping."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sftdec.networks import SFTDec
from sftdec.params import CommonParams, StageParams
from sftdec.peers import AnyNetwork, Recipe, Truth
from sftdec.runtime import autocast
from sftdec.training.losses import Losses, defocus_map_loss, stage_loss
from sftdec.training.schedule import Stage, learning_rate

_SEEDS = 1_000_000_007  # between those of two trainings: more than a training has steps


@dataclass(frozen=True)
class Objective:
    """The paper's way (sec. 3.4), as ``StageParams`` and ``CommonParams`` say."""

    stage: Stage
    params: StageParams
    common: CommonParams

    @property
    def gradient_clip(self) -> float | None:
        """Largest norm of all gradients together; None: as they are."""
        return self.common.gradient_clip

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

    def optimizer(self, network: AnyNetwork) -> torch.optim.Optimizer:
        """Of the network on its device."""
        betas = (self.common.beta_1, self.common.beta_2)
        return torch.optim.Adam(network.parameters(), lr=0.0, betas=betas, fused=True)

    def everything_learns(self, network: AnyNetwork) -> bool:
        """Whether each parameter gets a gradient."""
        weights = self.params.loss
        has_guide = isinstance(network, SFTDec) and network.condition is not None
        guides = has_guide and not self.stage.guided_by_truth and not self.params.detach_map
        restores = weights.lambda_2 + weights.lambda_3 > 0
        return restores and (weights.lambda_1 > 0 or guides)

    def restore(self, model: nn.Module, truth: Truth) -> tuple[Tensor, ...]:
        """What the model makes of the blurred pictures: ``Restoration`` or a peer's ``Restored``."""
        guide = truth.defocus if self.stage.guided_by_truth else None
        made: tuple[Tensor, ...] = model(truth.blurred, guide, detach_map=self.params.detach_map)
        return made

    def losses(self, network: AnyNetwork, restored: tuple[Tensor, ...], truth: Truth) -> Losses:
        """The losses of what the network has restored."""
        return stage_loss(restored[0], restored[1], truth.sharp, truth.defocus, self.params.loss)


@dataclass(frozen=True)
class PeerObjective(Objective):
    """A peer's own loss under a recipe of its own; of ``params`` only length, validation and checkpoints count."""

    recipe: Recipe

    @property
    def gradient_clip(self) -> float | None:
        """The recipe's."""
        return self.recipe.gradient_clip

    @property
    def calmer(self) -> str:
        """The recipe's rate, where a comparison has it."""
        model, _, part = self.stage.name.partition("-")
        return f"lower models.{model}.{part.rpartition('-')[2]}.learning_rate in experiments/comparison/params.yaml"

    def rate(self, step: int, steps: int) -> float:
        """The recipe's."""
        return self.recipe.rate(step, steps)

    def begin_step(self, step: int) -> None:
        """Make what a network drops out depend on seed and step alone, so that a training goes on to the same bits."""
        torch.manual_seed(self.common.seed * _SEEDS + step)

    def optimizer(self, network: AnyNetwork) -> torch.optim.Optimizer:
        """The recipe's, of the parameters that it trains; the others are frozen."""
        self.recipe.prepare(network)
        return self.recipe.optimizer(network)

    def everything_learns(self, network: AnyNetwork) -> bool:
        """Not told: a recipe may leave parts out."""
        return False

    def losses(self, network: AnyNetwork, restored: tuple[Tensor, ...], truth: Truth) -> Losses:
        """``total`` is the peer's own; ``df`` and ``dme`` are eq. 4 and 3 of what it restores, to compare with."""
        assert not isinstance(network, SFTDec)
        with autocast(truth.sharp.device, self.common.precision):  # some losses have layers of their own
            total = network.loss(restored, truth)  # type: ignore[arg-type]
        nothing = total.new_zeros(())
        with torch.no_grad():
            map_error = nothing if restored[1] is None else defocus_map_loss(restored[1], truth.defocus)
            error = (restored[0].float() - truth.sharp).abs().mean()
        return Losses(total, map_error, error, nothing)
