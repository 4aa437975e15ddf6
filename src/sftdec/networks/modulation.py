"""Spatial feature transform and its decompositions (sec. 3.3, eq. 2, fig. 3 and 4).

γ and β depend on the condition alone, so in training those of all transforms are made together: what reads the
condition is one wide convolution instead of one a transform. Without gradients each is made when its block needs it,
so that memory doesn't grow with the number of blocks.

N: batch; C: features; D: condition features; L: transforms; S: features between the 1×1 convolutions;
H, W: feature map.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

from sftdec.networks.blocks import conv
from sftdec.networks.config import NetworkConfig


class Affine(NamedTuple):
    """γ and β of one transform, each N×C×H×W."""

    gamma: Tensor
    beta: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """SFT(F) = γ ⊙ F + β (eq. 2), N×C×H×W."""
        return torch.addcmul(self.beta, self.gamma, features)


class FullMaps(nn.Module):
    """γ or β of the plain SFT: conv1×1 → LeakyReLU → conv1×1 for each transform (fig. 3)."""

    def __init__(self, config: NetworkConfig, transforms: int) -> None:
        super().__init__()
        self.slope = config.slope
        self.first = conv(config.condition_features, transforms * config.sft_features, 1)
        self.second = nn.ModuleList(
            conv(config.sft_features, config.features, 1, scale=config.map_init) for _ in range(transforms)
        )

    def forward(self, condition: Tensor, offset: float = 0.0) -> Iterator[Tensor]:
        """N×D×H×W → L maps N×C×H×W, ``offset`` added to each."""
        for second, hidden in zip(self.second, self._hidden(condition), strict=True):
            each = second(leaky_relu(hidden, self.slope))
            yield each + offset if offset else each

    def _hidden(self, condition: Tensor) -> Iterator[Tensor]:
        """L of N×S×H×W: at once where there are gradients, else one by one."""
        if torch.is_grad_enabled():
            yield from self.first(condition).chunk(len(self.second), dim=1)
            return
        assert self.first.bias is not None
        parts = len(self.second)
        for weight, bias in zip(self.first.weight.chunk(parts), self.first.bias.chunk(parts), strict=True):
            yield conv2d(condition, weight, bias)


class DecomposedMaps(nn.Module):
    """γ or β as channel part C×1×1 ⊗ spatial part 1×H×W for each transform (fig. 4).

    The channel part is squeeze-excite's, the spatial part a convolution to one channel as CBAM's; each ends in a
    sigmoid or is left linear (``config.gamma_activation``).
    """

    def __init__(self, config: NetworkConfig, transforms: int) -> None:
        super().__init__()
        squeezed = max(1, config.condition_features // config.reduction)
        self.squeeze = conv(config.condition_features, transforms * squeezed, 1)
        self.bounded = config.gamma_activation == "sigmoid"
        scale = 1.0 if self.bounded else config.map_init
        self.excite = nn.ModuleList(conv(squeezed, config.features, 1, scale=scale) for _ in range(transforms))
        self.spatial = conv(config.condition_features, transforms, config.spatial_kernel)

    def forward(self, condition: Tensor, offset: float = 0.0) -> Iterator[Tensor]:
        """N×D×H×W → L outer products N×C×H×W, ``offset`` added to each."""
        squeezed = self.squeeze(condition.mean((2, 3), keepdim=True)).relu().chunk(len(self.excite), dim=1)
        channels = [layer(part) for layer, part in zip(self.excite, squeezed, strict=True)]  # L of N×C×1×1
        spatials = self.spatial(condition).chunk(len(self.excite), dim=1)  # L of N×1×H×W
        for channel, spatial in zip(channels, spatials, strict=True):
            yield self._outer(channel, spatial, offset)

    def _outer(self, channel: Tensor, spatial: Tensor, offset: float) -> Tensor:
        """The product as one matrix product, which leaves it in channels-last order; the offset is its second rank."""
        if self.bounded:
            channel, spatial = channel.sigmoid(), spatial.sigmoid()
        count, _, height, width = spatial.shape
        left, right = spatial.reshape(count, height * width, 1), channel.reshape(count, 1, -1)
        if offset:
            left = torch.cat([left, torch.ones_like(left)], dim=2)  # N×HW×2
            right = torch.cat([right, torch.full_like(right, offset)], dim=1)  # N×2×C
        return torch.bmm(left, right).reshape(count, height, width, -1).permute(0, 3, 1, 2)


class Modulation(nn.Module):
    """γ and β of every transform of a network, from the condition.

    ``modulation``: ``sft`` has both whole, ``sft_dec`` (the paper's) decomposes γ, ``sft_fdec`` both.
    """

    def __init__(self, config: NetworkConfig, transforms: int) -> None:
        super().__init__()
        self.gamma = (FullMaps if config.modulation == "sft" else DecomposedMaps)(config, transforms)
        self.beta = (DecomposedMaps if config.modulation == "sft_fdec" else FullMaps)(config, transforms)
        self.offset = 1.0 if config.gamma == "one_plus" else 0.0

    def forward(self, condition: Tensor) -> Iterator[Affine]:
        """N×D×H×W → an affine transform for each of L places, in their order."""
        for gamma, beta in zip(self.gamma(condition, self.offset), self.beta(condition), strict=True):
            yield Affine(gamma, beta)


class ConditionedResidualBlock(nn.Module):
    """SFT → conv → ReLU → SFT → conv, plus identity (fig. 2); without the SFTs for ``baseline``."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.first = conv(config.features, config.features)
        self.second = conv(config.features, config.features, scale=config.block_init)

    def forward(self, features: Tensor, transforms: Iterator[Affine] | None) -> Tensor:
        """N×C×H×W → N×C×H×W; takes the next two of the network's transforms."""
        inner = self.first(next(transforms)(features) if transforms else features).relu()
        return features + self.second(next(transforms)(inner) if transforms else inner)  # type: ignore[no-any-return]
