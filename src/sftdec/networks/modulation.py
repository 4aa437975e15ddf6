"""Spatial feature transform and its decompositions (sec. 3.3, eq. 2, fig. 3 and 4).

γ and β depend on the condition alone, so in training those of all transforms are made together: what reads the
condition is one wide convolution instead of one a transform. Without gradients each is made when its block needs it,
so that memory doesn't grow with the number of blocks; a checkpointed block has its own two made alone.

N: batch; C: features; D: condition features; L: transforms; S: features between the 1×1 convolutions;
H, W: feature map.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from sftdec.networks.blocks import conv
from sftdec.networks.pooling import pooled
from sftdec.params import NetworkConfig


class Affine(NamedTuple):
    """γ and β of one transform, each N×C×H×W."""

    gamma: Tensor
    beta: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """SFT(F) = γ ⊙ F + β (eq. 2), N×C×H×W."""
        return torch.addcmul(self.beta, self.gamma, features)


class Wide(NamedTuple):
    """Weight and bias of a convolution that reads the condition for several transforms at once."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, layer: nn.Conv2d, transforms: int, places: range | None) -> "Wide":
        """The layer's, which serves ``transforms`` transforms, cut to those at ``places``."""
        assert layer.bias is not None
        if places is None:
            return cls(layer.weight, layer.bias)
        each = layer.out_channels // transforms
        rows = slice(places.start * each, places.stop * each)
        return cls(layer.weight[rows], layer.bias[rows])

    def chunks(self, parts: int) -> "Iterator[Wide]":
        """One for each of its transforms."""
        for weight, bias in zip(self.weight.chunk(parts), self.bias.chunk(parts), strict=True):
            yield Wide(weight, bias)


class FullMaps(nn.Module):
    """γ or β of the plain SFT: conv1×1 → LeakyReLU → conv1×1 for each transform (fig. 3)."""

    def __init__(self, config: NetworkConfig, transforms: int) -> None:
        super().__init__()
        self.slope = config.slope
        self.first = conv(config.condition_features, transforms * config.sft_features, 1)
        self.second = nn.ModuleList(
            conv(config.sft_features, config.features, 1, scale=config.map_init) for _ in range(transforms)
        )

    def forward(
        self, condition: Tensor, offset: float = 0.0, places: range | None = None, mean: Tensor | None = None
    ) -> Iterator[Tensor]:
        """N×D×H×W → a map N×C×H×W for each of L places, or for some; ``offset`` added to each; no use for a mean."""
        seconds = list(self.second) if places is None else [self.second[place] for place in places]
        wide = Wide.of(self.first, len(self.second), places)
        for second, hidden in zip(seconds, _hidden(condition, wide, len(seconds)), strict=True):
            each = second(leaky_relu(hidden, self.slope, inplace=True))
            yield each + offset if offset else each


def _hidden(condition: Tensor, wide: Wide, parts: int) -> Iterator[Tensor]:
    """N×S×H×W for each of ``parts`` transforms: at once where there are gradients, else one by one."""
    if torch.is_grad_enabled():
        for part in conv2d(condition, *wide).chunk(parts, dim=1):
            yield part.clone()  # dense: channels-last rows with gaps between them are slow to work on
        return
    for one in wide.chunks(parts):
        yield conv2d(condition, *one)


def _excited(layer: nn.Module, squeezed: Tensor) -> Tensor:
    """A 1×1 convolution N×S×H×W → N×C×H×W; of a single pixel as a matrix product, the same in a third of the time."""
    if squeezed.shape[2:] != (1, 1):
        return layer(squeezed)  # type: ignore[no-any-return]
    assert isinstance(layer, nn.Conv2d)
    return linear(squeezed.flatten(1), layer.weight.flatten(1), layer.bias)[..., None, None]


class DecomposedMaps(nn.Module):
    """γ or β as channel part C×1×1 ⊗ spatial part 1×H×W for each transform (fig. 4).

    The channel part is squeeze-excite's, the spatial part a convolution to one channel as CBAM's; each ends in a
    sigmoid or is left linear (``config.gamma_activation``). ``window``: side, in pixels of the condition, of what the
    channel part's mean is taken over; None: the whole, as it is trained.
    """

    def __init__(self, config: NetworkConfig, transforms: int) -> None:
        super().__init__()
        squeezed = max(1, config.condition_features // config.reduction)
        self.squeeze = conv(config.condition_features, transforms * squeezed, 1)
        self.bounded = config.gamma_activation == "sigmoid"
        scale = 1.0 if self.bounded else config.map_init
        self.excite = nn.ModuleList(conv(squeezed, config.features, 1, scale=scale) for _ in range(transforms))
        self.spatial = conv(config.condition_features, transforms, config.spatial_kernel)
        self.window: int | None = None

    def forward(
        self, condition: Tensor, offset: float = 0.0, places: range | None = None, mean: Tensor | None = None
    ) -> Iterator[Tensor]:
        """N×D×H×W → an outer product N×C×H×W for each of L places, or for some; ``offset`` added to each.

        ``mean``, N×D×1×1 or N×D×H×W: what to start the channel part from where ``condition`` is a part of a picture.
        """
        excites = list(self.excite) if places is None else [self.excite[place] for place in places]
        if mean is None:
            mean = pooled(condition, self.window)  # N×D×1×1, or N×D×H×W by windows
        squeezed = _hidden(mean, Wide.of(self.squeeze, len(self.excite), places), len(excites))
        spatial = conv2d(condition, *Wide.of(self.spatial, len(self.excite), places), padding=self.spatial.padding)
        for excite, hidden, part in zip(excites, squeezed, spatial.chunk(len(excites), dim=1), strict=True):
            channel = _excited(excite, hidden.relu())  # N×C×1×1, or N×C×H×W
            product = self._outer if channel.shape[2:] == (1, 1) else self._product
            yield product(channel, part, offset)

    def _product(self, channel: Tensor, spatial: Tensor, offset: float) -> Tensor:
        """N×C×H×W times N×1×H×W, where each pixel has a channel part of its own."""
        if self.bounded:
            channel, spatial = channel.sigmoid(), spatial.sigmoid()
        return channel * spatial + offset

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

    def forward(self, condition: Tensor, places: range | None = None, mean: Tensor | None = None) -> Iterator[Affine]:
        """N×D×H×W → an affine transform for each of L places, or for some, in their order; ``mean``: see its parts."""
        gammas = self.gamma(condition, self.offset, places, mean)
        betas = self.beta(condition, places=places, mean=mean)
        for gamma, beta in zip(gammas, betas, strict=True):
            yield Affine(gamma, beta)

    def channel_parts(self) -> list[DecomposedMaps]:
        """What has a channel part: γ's maps, β's, both, or neither."""
        return [maps for maps in (self.gamma, self.beta) if isinstance(maps, DecomposedMaps)]


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
