"""Spatial feature transform and its decompositions (sec. 3.3, eq. 2, fig. 3 and 4).

N: batch; C: features; D: condition features; H, W: feature map.
"""

import torch
from torch import Tensor, nn

from sftdec.networks.blocks import conv
from sftdec.networks.config import NetworkConfig

_SLOPE = 0.1  # SFTGAN's LeakyReLU


class FullMap(nn.Module):
    """γ or β of the plain SFT: conv1×1 → LeakyReLU → conv1×1, C×H×W (fig. 3)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.first = conv(config.condition_features, config.sft_features, 1)
        self.second = conv(config.sft_features, config.features, 1)
        _shrink(self.second)

    def forward(self, condition: Tensor) -> Tensor:
        """N×D×H×W → N×C×H×W."""
        return self.second(nn.functional.leaky_relu(self.first(condition), _SLOPE))  # type: ignore[no-any-return]


class DecomposedMap(nn.Module):
    """Channel part C×1×1 ⊗ spatial part 1×H×W (fig. 4).

    The channel part is squeeze-excite's, the spatial part a convolution to one channel as CBAM's; each ends in a
    sigmoid or is left linear (``config.gamma_activation``).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        squeezed = max(1, config.condition_features // config.reduction)
        self.squeeze = conv(config.condition_features, squeezed, 1)
        self.excite = conv(squeezed, config.features, 1)
        self.spatial = conv(config.condition_features, 1)
        self.bounded = config.gamma_activation == "sigmoid"
        if not self.bounded:
            _shrink(self.excite)

    def forward(self, condition: Tensor) -> Tensor:
        """N×D×H×W → N×C×H×W, an outer product."""
        channel = self.excite(self.squeeze(condition.mean((2, 3), keepdim=True)).relu())  # N×C×1×1
        spatial = self.spatial(condition)  # N×1×H×W
        if self.bounded:
            channel, spatial = channel.sigmoid(), spatial.sigmoid()
        return channel * spatial  # type: ignore[no-any-return]


def _shrink(layer: nn.Conv2d) -> None:
    """Start an unbounded map near zero: at kaiming's scale a chain of 2·blocks products explodes."""
    with torch.no_grad():
        layer.weight.mul_(0.1)


class FeatureTransform(nn.Module):
    """SFT(F) = γ ⊙ F + β (eq. 2), γ and β from the condition.

    ``modulation``: ``sft`` has both whole, ``sft_dec`` (the paper's) decomposes γ, ``sft_fdec`` both.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.gamma: nn.Module = FullMap(config) if config.modulation == "sft" else DecomposedMap(config)
        self.beta: nn.Module = DecomposedMap(config) if config.modulation == "sft_fdec" else FullMap(config)
        self.one_plus = config.gamma == "one_plus"

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """F N×C×H×W and condition N×D×H×W → N×C×H×W."""
        transformed = torch.addcmul(self.beta(condition), self.gamma(condition), features)
        return features + transformed if self.one_plus else transformed


class ConditionedResidualBlock(nn.Module):
    """SFT → conv → ReLU → SFT → conv, plus identity (fig. 2); without the SFTs for ``baseline``."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        plain = config.modulation == "baseline"
        self.first_transform = None if plain else FeatureTransform(config)
        self.first = conv(config.features, config.features)
        self.second_transform = None if plain else FeatureTransform(config)
        self.second = conv(config.features, config.features)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """F N×C×H×W and condition N×D×H×W → N×C×H×W."""
        inner = features if self.first_transform is None else self.first_transform(features, condition)
        inner = self.first(inner).relu()
        inner = inner if self.second_transform is None else self.second_transform(inner, condition)
        return features + self.second(inner)  # type: ignore[no-any-return]
