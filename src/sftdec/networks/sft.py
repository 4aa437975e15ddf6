"""The SFT layer (eq. 2, fig. 3), the decomposition of its parameters (fig. 4), and the block it stands in (fig. 2).

N: batch; C: features; D: condition features; S: features between two 1×1 convolutions; H, W: feature map.
"""

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from sftdec.networks.blocks import conv
from sftdec.networks.products import modulate, outer
from sftdec.params import NetworkConfig


class FullMap(nn.Module):
    """SFT's feature transform (fig. 3), γ or β whole: conv1×1, LeakyReLU, conv1×1. Starts around ``start``."""

    def __init__(self, config: NetworkConfig, start: float = 0.0) -> None:
        super().__init__()
        self.slope = config.slope
        self.first = conv(config.condition_features, config.sft_features, 1)
        self.second = conv(config.sft_features, config.features, 1, scale=config.map_init, bias=start)

    def forward(self, condition: Tensor, mean: Tensor | None) -> Tensor:
        """N×D×H×W → N×C×H×W; no use for the condition's mean."""
        return self.second(leaky_relu(self.first(condition), self.slope, inplace=True))  # type: ignore[no-any-return]


class DecomposedMap(nn.Module):
    """The decomposition transform (fig. 4), γ or β as channel part C×1×1 ⊗ spatial part 1×H×W.

    The channel part is squeeze-excite's, the spatial part a convolution to one channel as CBAM's, though of all the
    condition's features, not of their mean and maximum. Each ends in a sigmoid, and their product starts around 1/4,
    or is left linear (``config.gamma_activation``) and starts around ``start``, 0 or 1.
    """

    def __init__(self, config: NetworkConfig, start: float = 0.0) -> None:
        super().__init__()
        squeezed = max(1, config.condition_features // config.reduction)
        self.bounded = config.gamma_activation == "sigmoid"
        self.squeeze = conv(config.condition_features, squeezed, 1)
        start = 0.0 if self.bounded else start
        self.excite = conv(squeezed, config.features, 1, scale=1.0 if self.bounded else config.map_init, bias=start)
        scale = config.map_init if start else 1.0  # beside a channel part around 0 the product is small as it is
        self.spatial = conv(config.condition_features, 1, config.spatial_kernel, scale=scale, bias=start)

    def forward(self, condition: Tensor, mean: Tensor | None) -> Tensor:
        """N×D×H×W and its mean N×D×1×1, or N×D×H×W where each pixel has one of its own → N×C×H×W."""
        channel, spatial = self.excite(self.squeeze(mean).relu()), self.spatial(condition)
        if self.bounded:
            channel, spatial = channel.sigmoid(), spatial.sigmoid()
        return outer(channel, spatial)


class SFTLayer(nn.Module):
    """SFT(F) = γ ⊙ F + β, with γ and β made of the condition (eq. 2).

    ``modulation``: ``sft`` has both whole, ``sft_dec`` (the paper's) decomposes γ, ``sft_fdec`` both. At first F
    passes nearly as it is: the ablation's four networks start alike, as the baseline without any such layer.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.one_plus = config.gamma == "one_plus"
        self.gamma = (FullMap if config.modulation == "sft" else DecomposedMap)(config, 0.0 if self.one_plus else 1.0)
        self.beta = (DecomposedMap if config.modulation == "sft_fdec" else FullMap)(config)

    def forward(self, features: Tensor, condition: Tensor, mean: Tensor | None) -> Tensor:
        """N×C×H×W, the condition N×D×H×W and its mean (see ``DecomposedMap``) → N×C×H×W."""
        gamma, beta = self.gamma(condition, mean), self.beta(condition, mean)
        if self.one_plus:
            gamma = gamma + 1
        return modulate(gamma, features, beta)  # eq. 2


class ConditionedResidualBlock(nn.Module):
    """SFT → conv → ReLU → SFT → conv, plus identity (fig. 2)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.first_sft, self.second_sft = SFTLayer(config), SFTLayer(config)
        self.first = conv(config.features, config.features)
        self.second = conv(config.features, config.features, scale=config.block_init)

    def forward(self, features: Tensor, condition: Tensor, mean: Tensor | None) -> Tensor:
        """N×C×H×W, the condition N×D×H×W and its mean (see ``DecomposedMap``) → N×C×H×W."""
        inner = self.first(self.first_sft(features, condition, mean)).relu_()
        return self.second(self.second_sft(inner, condition, mean)).add_(features)  # type: ignore[no-any-return]
