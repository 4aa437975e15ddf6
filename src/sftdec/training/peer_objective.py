"""How a peer is taught: its own loss, by the recipe of its authors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from sftdec.networks import SFTDec
from sftdec.runtime import mixed, training_dtype
from sftdec.training.losses import Losses, deblurring_loss, defocus_map_loss
from sftdec.training.objective import Objective

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork, Recipe, Truth

_SEEDS = 1_000_000_007  # between those of two trainings: more than a training has steps


@dataclass(frozen=True)
class PeerObjective(Objective):
    """A peer's own loss under a recipe of its own, by which ``common`` clips.

    Of ``params`` only length, validation and checkpoints count.
    """

    recipe: "Recipe"
    can_be_captured: ClassVar[bool] = False  # some drop out by the step's own seed, and their optimizers ask the host

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

    def optimizer(self, network: "AnyNetwork") -> torch.optim.Optimizer:
        """The recipe's, of the parameters that it trains; the others are frozen."""
        self.recipe.prepare(network)
        return self.recipe.optimizer(network)

    def everything_learns(self, network: "AnyNetwork") -> bool:
        """Not told: a recipe may leave parts out."""
        return False

    def losses(self, network: "AnyNetwork", restored: tuple[Tensor, ...], truth: "Truth") -> Losses:
        """``total`` is the peer's own; ``df`` and ``dme`` are eq. 4 and 3 of what it restores, to compare with."""
        assert not isinstance(network, SFTDec)
        device = truth.sharp.device
        with mixed(device, training_dtype(device, self.common.precision)):  # some losses have layers of their own
            total = network.loss(restored, truth)  # type: ignore[arg-type]
        nothing = total.new_zeros(())
        with torch.no_grad():
            map_error = nothing if restored[1] is None else defocus_map_loss(restored[1], truth.defocus)
            error = deblurring_loss(restored[0], truth.sharp)
        return Losses(total, map_error, error, nothing)
