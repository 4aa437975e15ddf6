"""IFAN (Lee et al., "Iterative Filter Adaptive Network for Single Image Defocus Deblurring", CVPR 2021).

N: batch; H, W: picture; C: channels; h, w: a level's features; K: a filter's taps in a row or a column.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, mse_loss, pad

from sftdec.peers.peer import Peer, PeerConfig, Restored, padded, parts
from sftdec.peers.truth import Truth

SIZES: dict[str, dict[str, Any]] = {
    "published": {"width": 32, "filters": 17},
    "small": {"width": 10, "filters": 5},
}
_SLOPE = 0.1  # of every LeakyReLU
_TAPS = 3  # K


def _active(features: Tensor) -> Tensor:
    return leaky_relu(features, _SLOPE)


def _initialised(layer: nn.Conv2d | nn.ConvTranspose2d, gain: float) -> None:
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    _initialised(layer, 1.0)
    return layer


class Residuals(nn.Module):
    """Residual blocks with an activation behind each; where there are several, the whole has an identity, too."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList((_conv(channels, channels), _conv(channels, channels))) for _ in range(count)
        )

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        made = features
        for block in self.blocks:
            first, second = parts(block)
            made = _active(made + second(_active(first(made))))
        return features + made if len(self.blocks) > 1 else made


class Pyramid(nn.Module):
    """Four levels of three convolutions, each level half the size of the one before."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.ModuleList((_conv(before, now, stride=1 if level == 0 else 2), _conv(now, now), _conv(now, now)))
            for level, (before, now) in enumerate(zip([3, *widths[:-1]], widths, strict=True))
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        """The features of each level, fine to coarse."""
        features, found = picture, []
        for level in self.levels:
            for layer in parts(level):
                features = _active(layer(features))
            found.append(features)
        return found


class Predictor(nn.Module):
    """conv → residual blocks → conv, the last without activation unless ``active``: map, features, filters."""

    def __init__(self, inputs: int, channels: int, outputs: int, last: int = 3, active: bool = False) -> None:
        super().__init__()
        self.first = _conv(inputs, channels)
        self.residuals = nn.Sequential(Residuals(channels, 2), Residuals(channels, 2))
        self.last, self.active = _conv(channels, outputs, kernel=last), active

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C'×h×w."""
        made = self.last(self.residuals(_active(self.first(features))))
        return _active(made) if self.active else made


def filter_adaptive(features: Tensor, filters: Tensor, count: int, isotropic: bool, active_last: bool) -> Tensor:
    """IAC: ``count`` times a column filter, a row filter and a bias for each pixel and channel of its own.

    ``filters`` N×(count·C·(2K + 1))×h×w: first the filters of all rounds, column before row, then the biases.
    ``isotropic``: the column's filter serves the row as well.
    """
    channels = features.shape[1]
    taps = count * channels * 2 * _TAPS
    kernels, biases = filters[:, :taps], filters[:, taps:]
    for number, (kernel, bias) in enumerate(zip(kernels.chunk(count, 1), biases.chunk(count, 1), strict=True)):
        column, row = kernel.chunk(2, dim=1)
        features = _filtered(features, column, vertical=True)
        features = _filtered(features, column if isotropic else row, vertical=False) + bias
        features = _active(features) if active_last or number < count - 1 else features
    return features


def _filtered(features: Tensor, kernel: Tensor, vertical: bool) -> Tensor:
    """Each pixel and channel by its own K taps, N×(C·K)×h×w; edges are continued by their last pixel."""
    height, width = features.shape[2:]
    reach = _TAPS // 2
    wide = pad(features, (0, 0, reach, reach) if vertical else (reach, reach, 0, 0), mode="replicate")
    shifted = [wide[:, :, tap : tap + height] if vertical else wide[:, :, :, tap : tap + width] for tap in range(_TAPS)]
    taps = kernel.reshape(*features.shape[:2], _TAPS, height, width)  # N×C×K×h×w
    return (torch.stack(shifted, dim=2) * taps).sum(2)


class IFAN(Peer):
    """Predicts deblurring filters for every pixel of the features at an eighth of the size; 10.48 million parameters.

    ``isotropic``: in the released code and weights a filter's row is its column, by a slip that its authors point out;
    a training of one's own should have both (the default). The map that the network makes within is the disparity of
    two dual-pixel views; without such views nothing says what it means, so no map is returned. For the same reason the
    published loss's disparity term is left out; its reblurring term stays, with the reblurring network behind it
    (``reblurring``, which the published count leaves out: 19.14 million more).
    """

    multiple = 8
    training_only = ("reblurring",)

    def __init__(
        self, config: PeerConfig, width: int, filters: int, isotropic: bool = False, reblurs: bool = True
    ) -> None:
        super().__init__(config)
        widths = [width, 2 * width, 4 * width, 4 * width]
        deep = widths[-1]
        self.filters, self.isotropic = filters, isotropic
        self.features, self.blur = Pyramid(widths), Pyramid(widths)
        self.disparity = Predictor(deep, deep, 1)
        self.disparity_features = _conv(1, deep)
        self.joined = Predictor(2 * deep, deep, deep, active=True)
        taps = filters * deep * (2 * _TAPS + 1)
        self.filter_predictor = Predictor(deep, deep, taps, last=1)
        self.restored = nn.Sequential(_conv(deep, deep), Residuals(deep, 3), _conv(deep, deep))
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # coarse to fine
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in steps)
        self.refined = nn.ModuleList(nn.Sequential(Residuals(b, 1), Residuals(b, 1)) for _, b in steps)
        self.output = _conv(width, 3)
        self.reblurring = Predictor(taps, deep, filters * 3 * (2 * _TAPS + 1)) if reblurs else None
        for up in self.ups:
            _initialised(up, 1.0)  # type: ignore[arg-type]
        for layer in self.filter_predictor.modules():
            if isinstance(layer, nn.Conv2d):
                _initialised(layer, 1.5)

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×3×H×W; ``stages``: the predicted filters, N×C'×H/8×W/8."""
        levels, blur = self.features(blurred), self.blur(blurred)[-1]
        disparity = self.disparity(blur)
        joined = self.joined(torch.cat([blur, _active(self.disparity_features(disparity))], dim=1))
        filters = self.filter_predictor(joined)
        features = filter_adaptive(levels[-1], filters, self.filters, self.isotropic, active_last=True)
        first, residuals, last = self.restored
        features = _active(last(residuals(_active(first(features)))))
        for up, refined, skip in zip(self.ups, self.refined, levels[-2::-1], strict=True):
            features = refined(_active(up(features)) + skip)
        return Restored(blurred + _active(self.output(features)), stages=(filters,))

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Mean squared differences of the pictures and, at an eighth, of the blurred to the reblurred."""
        loss = mse_loss(restored.deblurred.float(), truth.sharp)
        if self.reblurring is None:
            return loss
        sharp, blurred = (padded(each, self.multiple) for each in (truth.sharp, truth.blurred))
        filters = self.reblurring(restored.stages[0])
        small = interpolate(sharp, scale_factor=1 / 8)
        made = small + filter_adaptive(small, filters, self.filters, self.isotropic, active_last=False)
        return loss + mse_loss(made.float(), interpolate(blurred, scale_factor=1 / 8, mode="area"))
