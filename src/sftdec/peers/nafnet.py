"""NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022).

N: batch; H, W: picture; C: channels; h, w: a level's features.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pixel_shuffle

from sftdec.peers.peer import Peer, PeerConfig, Restored
from sftdec.peers.truth import Truth

_DEEP: dict[str, Any] = {"encoder_blocks": (1, 1, 1, 28), "middle_blocks": 1, "decoder_blocks": (1, 1, 1, 1)}
_FLAT: dict[str, Any] = {"middle_blocks": 1, "decoder_blocks": (1, 1, 1)}
SIZES: dict[int, dict[str, dict[str, Any]]] = {  # the released networks for deblurring, by their width
    32: {"published": {"width": 32, **_DEEP}, "small": {"width": 16, "encoder_blocks": (1, 1, 8), **_FLAT}},
    64: {"published": {"width": 64, **_DEEP}, "small": {"width": 20, "encoder_blocks": (2, 2, 8), **_FLAT}},
}
_LEAST_ERROR = 1e-8  # added to the mean square, so that equal pictures have a loss


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel's channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        pixels = features.permute(0, 2, 3, 1)  # N×h×w×C
        return layer_norm(pixels, self.weight.shape, self.weight, self.bias, eps=1e-6).permute(0, 3, 1, 2)


def simple_gate(features: Tensor) -> Tensor:
    """One half of the channels times the other, N×2C×h×w → N×C×h×w: all the nonlinearity there is."""
    first, second = features.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A depthwise convolution with simplified channel attention, then a gated 1×1 pair, each a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_1 = ChannelNorm(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attention = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.norm_2 = ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        gated = simple_gate(self.depthwise(self.expand(self.norm_1(features))))
        attended = gated * self.attention(gated.mean((2, 3), keepdim=True))
        features = features + self.project(attended) * self.beta
        return features + self.narrow(simple_gate(self.widen(self.norm_2(features)))) * self.gamma  # type: ignore[no-any-return]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))


class NAFNet(Peer):
    """A U-Net of NAFBlocks that adds to the blurred picture; width 32: 17.11 million parameters, 64: 67.89 million.

    Of the released networks it is those for GoPro. They are tested with channel means over windows of 384 px (TLC):
    on pictures up to that size it is this network, on larger ones this takes the means over everything. Sides that are
    no multiple of 16 px are continued by reflection here and by zeros there.
    """

    def __init__(
        self,
        config: PeerConfig,
        width: int,
        encoder_blocks: Sequence[int],
        middle_blocks: int,
        decoder_blocks: Sequence[int],
    ) -> None:
        super().__init__(config)
        self.multiple = 2 ** len(encoder_blocks)
        widths = [width * 2**level for level in range(len(encoder_blocks) + 1)]
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(now, count) for now, count in zip(widths, encoder_blocks, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(now, 2 * now, 2, stride=2) for now in widths[:-1])
        self.middle = _blocks(widths[-1], middle_blocks)
        self.ups = nn.ModuleList(nn.Conv2d(2 * now, 4 * now, 1, bias=False) for now in reversed(widths[:-1]))
        self.decoders = nn.ModuleList(
            _blocks(now, count) for now, count in zip(reversed(widths[:-1]), decoder_blocks, strict=True)
        )
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×3×H×W."""
        features, skipped = self.intro(blurred), []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skipped.append(features)
            features = down(features)
        features = self.middle(features)
        for decoder, up, skip in zip(self.decoders, self.ups, reversed(skipped), strict=True):
            features = decoder(pixel_shuffle(up(features), 2) + skip)
        return Restored(blurred + self.ending(features))

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Minus the mean PSNR of the batch's pictures, dB."""
        errors = (restored.deblurred.float() - truth.sharp).square().mean((1, 2, 3))
        return 10 / math.log(10) * (errors + _LEAST_ERROR).log().mean()
