"""MPRNet (Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021).

N: batch; H, W: picture; C: channels; h, w: a level's features.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from sftdec.peers.peer import Peer, PeerConfig, Restored, padded
from sftdec.peers.truth import Truth

SIZES: dict[str, dict[str, Any]] = {  # small without a bottleneck: two units were often both dead
    "published": {"width": 96, "wider": 48, "original_wider": 32, "original_blocks": 8, "reduction": 4},
    "small": {"width": 10, "wider": 8, "original_wider": 6, "original_blocks": 1, "reduction": 1},
}
_EDGE_WEIGHT = 0.05  # in the loss
_EPSILON = 1e-3  # the Charbonnier loss's
_ROWS, _COLUMNS = 2, 3  # a tensor's dimensions

Levels = list[Tensor]
MakeBlock = Callable[[int], nn.Module]  # of so many channels


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)


class ChannelAttentionBlock(nn.Module):
    """CAB: conv → PReLU → conv, weighted channel by channel, plus identity. All blocks share one PReLU."""

    def __init__(self, channels: int, activation: nn.PReLU, reduction: int) -> None:
        super().__init__()
        self._activation = (activation,)  # a module of the network's, not of each block's: it is saved once
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)
        self.squeeze = _conv(channels, channels // reduction, kernel=1)
        self.excite = _conv(channels // reduction, channels, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        made = self.second(self._activation[0](self.first(features)))
        weights = self.excite(self.squeeze(made.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return features + made * weights  # type: ignore[no-any-return]


def _pair(channels: int, block: MakeBlock) -> nn.Sequential:
    return nn.Sequential(*(block(channels) for _ in range(2)))


class Resized(nn.Module):
    """Bilinear resizing by ``scale``, then a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__()
        self.scale, self.mix = scale, _conv(inputs, outputs, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C'×(scale·h)×(scale·w)."""
        return self.mix(interpolate(features, scale_factor=self.scale, mode="bilinear"))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Three levels of CABs; in the second stage each adds the first stage's features of its level (CSFF)."""

    def __init__(self, widths: list[int], block: MakeBlock, fuses: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_pair(width, block) for width in widths)
        self.downs = nn.ModuleList(Resized(a, b, 0.5) for a, b in pairwise(widths))
        self.from_encoder, self.from_decoder = (
            nn.ModuleList(_conv(width, width, kernel=1) for width in widths if fuses) for _ in range(2)
        )

    def forward(self, features: Tensor, earlier: tuple[Levels, Levels] | None = None) -> Levels:
        """Features of all levels, fine to coarse; ``earlier``: the stage before's, of its encoder and its decoder."""
        found: Levels = []
        for level, blocks in enumerate(self.blocks):
            features = blocks(self.downs[level - 1](features) if level else features)
            if earlier is not None:
                features = features + self.from_encoder[level](earlier[0][level])
                features = features + self.from_decoder[level](earlier[1][level])
            found.append(features)
        return found


class Decoder(nn.Module):
    """Three levels of CABs, upwards; what skips over goes through a CAB of its own."""

    def __init__(self, widths: list[int], block: MakeBlock) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_pair(width, block) for width in widths)
        self.skips = nn.ModuleList(block(width) for width in widths[:-1])
        self.ups = nn.ModuleList(Resized(b, a, 2.0) for a, b in pairwise(widths))

    def forward(self, encoded: Levels) -> Levels:
        """Features of all levels, fine to coarse."""
        found = [self.blocks[-1](encoded[-1])]
        for level in reversed(range(len(self.skips))):
            joined = self.ups[level](found[0]) + self.skips[level](encoded[level])
            found.insert(0, self.blocks[level](joined))
        return found


class SupervisedAttention(nn.Module):
    """SAM: makes this stage's picture, and lets it say which features go on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = _conv(channels, channels, kernel=1)
        self.picture = _conv(channels, 3, kernel=1)
        self.mask = _conv(3, channels, kernel=1)

    def forward(self, features: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """N×C×h×w and N×3×h×w → those of the same sizes."""
        picture = blurred + self.picture(features)
        return features + self.features(features) * self.mask(picture).sigmoid(), picture


class OriginalResolution(nn.Module):
    """ORSNet: three blocks (ORB) without resizing, after each of which a level of the stage before is added."""

    def __init__(self, widths: list[int], width: int, blocks: int, block: MakeBlock) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(*(block(width) for _ in range(blocks)), _conv(width, width)) for _ in widths
        )

        def raised(level: int) -> nn.Sequential:
            return nn.Sequential(*(Resized(widths[k], widths[k - 1], 2.0) for k in range(level, 0, -1)))

        self.encoder_ups, self.decoder_ups = (nn.ModuleList(raised(level) for level in (1, 2)) for _ in range(2))
        self.from_encoder, self.from_decoder = (
            nn.ModuleList(_conv(widths[0], width, kernel=1) for _ in widths) for _ in range(2)
        )

    def forward(self, features: Tensor, encoded: Levels, decoded: Levels) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        for level, layers in enumerate(self.blocks):
            features = features + layers(features)
            skipped = (encoded[level], decoded[level])
            if level:
                skipped = (self.encoder_ups[level - 1](skipped[0]), self.decoder_ups[level - 1](skipped[1]))
            features = features + self.from_encoder[level](skipped[0]) + self.from_decoder[level](skipped[1])
        return features


class MPRNet(Peer):
    """Three stages: on quarters of the picture, on halves, and on the whole of it; 20.13 million parameters."""

    multiple = 8  # a quarter has half the height and width, and two levels below

    def __init__(
        self, config: PeerConfig, width: int, wider: int, original_wider: int, original_blocks: int, reduction: int
    ) -> None:
        super().__init__(config)
        self.activation = nn.PReLU()
        block = partial(ChannelAttentionBlock, activation=self.activation, reduction=reduction)
        widths, last = [width, width + wider, width + 2 * wider], width + original_wider
        self.shallow = nn.ModuleList(nn.Sequential(_conv(3, width), block(width)) for _ in range(3))
        self.encoders = nn.ModuleList(Encoder(widths, block, fuses) for fuses in (False, True))
        self.decoders = nn.ModuleList(Decoder(widths, block) for _ in range(2))
        self.attentions = nn.ModuleList(SupervisedAttention(width) for _ in range(2))
        self.joins = nn.ModuleList(_conv(2 * width, outputs) for outputs in (width, last))
        self.original = OriginalResolution(widths, last, original_blocks, block)
        self.tail = _conv(last, 3)

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×3×H×W; ``stages``: the pictures of the three stages. Parts of a picture lie along the batch."""
        halves = _halved(blurred, _ROWS)
        encoded = self.encoders[0](self.shallow[0](_halved(halves, _COLUMNS)))
        encoded = [_whole(features, _COLUMNS) for features in encoded]
        decoded = self.decoders[0](encoded)
        attended, first = self.attentions[0](decoded[0], halves)

        joined = self.joins[0](torch.cat([self.shallow[1](halves), attended], dim=1))
        encoded = [_whole(features, _ROWS) for features in self.encoders[1](joined, (encoded, decoded))]
        decoded = self.decoders[1](encoded)
        attended, second = self.attentions[1](decoded[0], blurred)

        joined = self.joins[1](torch.cat([self.shallow[2](blurred), attended], dim=1))
        third = blurred + self.tail(self.original(joined, encoded, decoded))
        return Restored(third, stages=(_whole(first, _ROWS), second, third))

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Over the three stages, the Charbonnier loss of the pictures and of their edges."""
        sharp = padded(truth.sharp, self.multiple)
        total = sharp.new_zeros(())
        for stage in restored.stages:
            made = stage.float()
            total = total + _charbonnier(made, sharp) + _EDGE_WEIGHT * _charbonnier(_edges(made), _edges(sharp))
        return total


def _halved(picture: Tensor, dim: int) -> Tensor:
    """N×C×h×w → 2N×C, half as high or wide."""
    return torch.cat(picture.chunk(2, dim))


def _whole(parts: Tensor, dim: int) -> Tensor:
    """What ``_halved`` took apart."""
    return torch.cat(parts.chunk(2), dim)


def _charbonnier(made: Tensor, target: Tensor) -> Tensor:
    return ((made - target).square() + _EPSILON**2).sqrt().mean()


def _smoothed(picture: Tensor) -> Tensor:
    """By a binomial-like 5×5 window, edges continued by their last pixel."""
    row = picture.new_tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    window = torch.outer(row, row).expand(picture.shape[1], 1, 5, 5)
    return conv2d(pad(picture, (2, 2, 2, 2), mode="replicate"), window, groups=picture.shape[1])


def _edges(picture: Tensor) -> Tensor:
    """What a level of a Laplacian pyramid keeps: the picture less itself made half as large and large again."""
    spread = torch.zeros_like(picture)
    spread[..., ::2, ::2] = 4 * _smoothed(picture)[..., ::2, ::2]
    return picture - _smoothed(spread)
