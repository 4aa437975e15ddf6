"""How each peer was trained by its authors: what stands in their released code, as a schedule beside s1 to s3.

A trainer takes a peer's recipes one after another: ``recipe.prepare(network)`` freezes what this one doesn't train,
``recipe.optimizer(network)`` holds the rest, each step sets ``recipe.rate(step, steps)``, and the loss is
``network.loss(network(blurred), Truth(blurred, sharp, defocus))``, its gradient clipped to ``gradient_clip``. Rates
fall at shares of a training, so that it may be shorter than the published one. Of our own parameters,
``Stage(recipe.name, guided_by_truth=False, after=recipe.after)`` names the stage; ``batch_size``, ``crop`` and length
are those of ``CommonParams`` and ``StageParams``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """One training; the published length is in ``epochs`` or in ``steps``, one of the two."""

    name: str
    batch_size: int
    crop: int  # px
    learning_rate: float
    epochs: int | None = None
    steps: int | None = None
    optimiser: Literal["adam", "adamw", "radam"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    decays_biases: bool = True
    decay: Literal["none", "cosine", "step"] = "none"
    final_learning_rate: float = 0.0  # of decay cosine
    decay_at: tuple[float, ...] = ()  # shares of the training; of decay step
    decay_factor: float = 0.5  # each time; of decay step
    warm_up: float = 0.0  # share of the training
    gradient_clip: float | None = None
    after: str | None = None  # the recipe whose weights it starts from
    trains: tuple[str, ...] = ("",)  # beginnings of the names of the parameters that learn

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0 ≤ ``step`` < ``steps``: linear warm-up, then constant, in stairs or a cosine."""
        begun = self.warm_up * steps
        if step < begun:
            return self.learning_rate * (step + 1) / (begun + 1)
        if self.decay == "step":
            return self.learning_rate * self.decay_factor ** sum(step >= at * steps for at in self.decay_at)
        if self.decay == "none":
            return self.learning_rate
        fall = 0.5 * (1 + math.cos(math.pi * (step - begun) / max(1.0, steps - begun)))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * fall

    def prepare(self, network: nn.Module) -> None:
        """Let the parameters learn that this recipe trains, and no others."""
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(self.trains))

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Of the parameters that learn; biases without weight decay where the recipe says so."""
        groups = [
            {"params": list(self._learning(network, biases=False)), "weight_decay": self.weight_decay},
            {
                "params": list(self._learning(network, biases=True)),
                "weight_decay": self.weight_decay if self.decays_biases else 0.0,
            },
        ]
        if self.optimiser == "adamw":
            return torch.optim.AdamW(groups, self.learning_rate, self.betas)
        if self.optimiser == "radam":
            return torch.optim.RAdam(groups, self.learning_rate, self.betas, decoupled_weight_decay=True)
        return torch.optim.Adam(groups, self.learning_rate, self.betas)

    def _learning(self, network: nn.Module, biases: bool) -> Iterator[nn.Parameter]:
        for name, parameter in network.named_parameters():
            if name.startswith(self.trains) and name.endswith("bias") == biases:
                yield parameter


_DID_ANET = Recipe(
    "did_anet",
    batch_size=48,
    crop=256,
    learning_rate=1e-4,
    epochs=200,
    weight_decay=4e-4,
    decays_biases=False,
    decay="step",
    decay_at=(0.4, 0.6, 0.8),  # epochs 80, 120 and 160
    decay_factor=0.2,
)
_MIMO_UNET = Recipe(
    "mimo_unet",
    batch_size=4,
    crop=256,
    learning_rate=1e-4,
    epochs=3000,
    decay="step",
    decay_at=tuple(k / 6 for k in range(1, 6)),  # every 500 epochs
)
_NAFNET = Recipe(
    "nafnet32",
    batch_size=32,
    crop=256,
    learning_rate=1e-3,
    steps=200_000,
    optimiser="adamw",
    betas=(0.9, 0.9),
    weight_decay=1e-3,
    decay="cosine",
    final_learning_rate=1e-7,
    gradient_clip=0.01,
)

RECIPES: dict[str, tuple[Recipe, ...]] = {
    # The released code has the map network frozen and doesn't say how that was trained: taken to be alike.
    "did_anet": (
        replace(_DID_ANET, name="did_anet_map", trains=("defocus_map_estimation.",)),
        replace(_DID_ANET, after="did_anet_map", trains=("first.", "blocks.", "merge.", "last.")),
    ),
    "dpdnet": (
        Recipe(
            "dpdnet",
            batch_size=5,
            crop=512,
            learning_rate=2e-5,
            epochs=200,
            decay="step",
            decay_at=(0.3, 0.6, 0.9),  # every 60 epochs
        ),
    ),
    "ifan": (
        Recipe(
            "ifan",
            batch_size=8,
            crop=256,
            learning_rate=1e-4,
            steps=600_000,
            optimiser="radam",
            weight_decay=0.01,
            decay="step",
            decay_at=(5 / 6, 11 / 12),  # steps 500,000 and 550,000
            gradient_clip=0.5,
        ),
    ),
    "mprnet": (
        Recipe(
            "mprnet",
            batch_size=16,
            crop=256,
            learning_rate=2e-4,
            epochs=3000,
            decay="cosine",
            final_learning_rate=1e-6,
            warm_up=0.001,  # 3 epochs
        ),
    ),
    "mimo_unet": (_MIMO_UNET,),
    "mimo_unet_plus": (replace(_MIMO_UNET, name="mimo_unet_plus"),),
    "nafnet32": (_NAFNET,),
    "nafnet64": (replace(_NAFNET, name="nafnet64", batch_size=64, steps=400_000),),
    # The released code sets no end; its rate falls to 0.8 of itself every 20 epochs, of which these are the first four.
    "dme_net": (
        Recipe(
            "dme_net",
            batch_size=3,
            crop=240,
            learning_rate=1e-4,
            epochs=80,
            decay="step",
            decay_at=(0.25, 0.5, 0.75),
            decay_factor=0.8,
        ),
    ),
}
