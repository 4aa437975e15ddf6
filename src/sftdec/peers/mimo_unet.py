"""MIMO-UNet and MIMO-UNet+ (Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021).

N: batch; H, W: picture; C: channels; h, w: a level's features.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout2d, interpolate, l1_loss

from sftdec.peers.peer import Peer, PeerConfig, Restored, padded, parts
from sftdec.peers.truth import Truth

SIZES: dict[str, dict[str, Any]] = {
    "published": {"width": 32, "residual_blocks": 8},
    "small": {"width": 8, "residual_blocks": 6},
}
PLUS_SIZES: dict[str, dict[str, Any]] = {
    "published": {"width": 32, "residual_blocks": 20, "dropout_rate": 0.1},
    "small": {"width": 8, "residual_blocks": 10, "dropout_rate": 0.1},
}
_FREQUENCY_WEIGHT = 0.1  # in the loss


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


class Residual(nn.Module):
    """conv → ReLU → conv, plus identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        return features + self.second(self.first(features).relu())  # type: ignore[no-any-return]


class ShallowConvolutions(nn.Module):
    """SCM: features of a picture made smaller, that picture among them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (3, channels // 4, channels // 2, channels // 2, channels - 3)
        self.steps = nn.ModuleList(_conv(widths[k], widths[k + 1], kernel=(3, 1, 3, 1)[k]) for k in range(4))
        self.merge = _conv(channels, channels, kernel=1)

    def forward(self, picture: Tensor) -> Tensor:
        """N×3×h×w → N×C×h×w."""
        features = picture
        for step in self.steps:
            features = step(features).relu()
        return self.merge(torch.cat([picture, features], dim=1))  # type: ignore[no-any-return]


class MIMOUNet(Peer):
    """One U-Net that takes the picture in three sizes and makes it in three; 6.81 and, +, 16.11 million parameters.

    Lists go from fine to coarse in the encoder and from coarse to fine in the decoder.
    """

    multiple = 4

    def __init__(self, config: PeerConfig, width: int, residual_blocks: int, dropout_rate: float = 0.0) -> None:
        super().__init__(config)
        self.dropout_rate = dropout_rate  # of the fused features; the released + has it, the paper doesn't name it
        widths = [width, 2 * width, 4 * width]

        def blocks(channels: int) -> nn.Sequential:
            return nn.Sequential(*(Residual(channels) for _ in range(residual_blocks)))

        self.first = _conv(3, width)
        self.downs = nn.ModuleList(_conv(now, 2 * now, stride=2) for now in widths[:2])
        self.shallow = nn.ModuleList(ShallowConvolutions(now) for now in widths[1:])
        self.attentions = nn.ModuleList(_conv(now, now) for now in widths[1:])  # FAM
        self.encoders = nn.ModuleList(blocks(now) for now in widths)
        self.fusions = nn.ModuleList(  # AFF
            nn.ModuleList((_conv(sum(widths), now, kernel=1), _conv(now, now))) for now in widths[:2]
        )
        self.decoders = nn.ModuleList(blocks(now) for now in reversed(widths))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2 * now, now, 4, stride=2, padding=1) for now in (widths[1], width))
        self.merges = nn.ModuleList(_conv(2 * now, now, kernel=1) for now in (widths[1], width))
        self.outputs = nn.ModuleList(_conv(now, 3) for now in reversed(widths))

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×3×H×W; ``stages``: the picture at a quarter, a half and the whole of its size."""
        half = interpolate(blurred, scale_factor=0.5)
        pictures = [blurred, half, interpolate(half, scale_factor=0.5)]
        encoded = self._encoded(pictures)
        features, stages = encoded[2], []
        fused = self._fused(encoded)
        for level in range(3):  # coarse to fine
            if level:
                wide = self.ups[level - 1](features).relu()
                features = self.merges[level - 1](torch.cat([wide, fused[2 - level]], dim=1)).relu()
            features = self.decoders[level](features)
            stages.append(pictures[2 - level] + self.outputs[level](features))
        return Restored(stages[-1], stages=tuple(stages))

    def _encoded(self, pictures: list[Tensor]) -> list[Tensor]:
        """Features of the three levels, fine to coarse."""
        encoded = [self.encoders[0](self.first(pictures[0]).relu())]
        for level in (1, 2):
            features = self.downs[level - 1](encoded[-1]).relu()
            shallow = self.shallow[level - 1](pictures[level])
            encoded.append(self.encoders[level](features + self.attentions[level - 1](features * shallow)))
        return encoded

    def _fused(self, encoded: list[Tensor]) -> list[Tensor]:
        """All levels' features at the whole and at half of the size."""
        fine, middle, coarse = encoded
        coarse = interpolate(coarse, scale_factor=2.0)
        whole = [fine, interpolate(middle, scale_factor=2.0), interpolate(coarse, scale_factor=2.0)]
        halved = [interpolate(fine, scale_factor=0.5), middle, coarse]
        fused = []
        for fusion, levels in zip(self.fusions, (whole, halved), strict=True):
            first, second = parts(fusion)
            features = second(first(torch.cat(levels, dim=1)).relu())
            fused.append(dropout2d(features, self.dropout_rate, self.training))
        return fused

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Over the three sizes, mean absolute differences of the pictures and of their Fourier transforms."""
        sharp = padded(truth.sharp, self.multiple)
        total = sharp.new_zeros(())
        for stage, scale in zip(restored.stages, (0.25, 0.5, 1.0), strict=True):
            made = stage.float()
            target = sharp if scale == 1 else interpolate(sharp, scale_factor=scale, mode="bilinear")
            total = total + l1_loss(made, target)
            waves, target_waves = (torch.view_as_real(torch.fft.fft2(picture)) for picture in (made, target))
            total = total + _FREQUENCY_WEIGHT * l1_loss(waves, target_waves)
        return total
