"""DME-Net (Lee et al., "Deep Defocus Map Estimation using Domain Adaptation", CVPR 2019).

N: batch; H, W: picture; C: channels; h, w: a level's features.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, interpolate, leaky_relu, max_pool2d, mse_loss, pad

from sftdec.peers.peer import Peer, PeerConfig, Restored, padded, parts
from sftdec.peers.truth import Truth

SIZES: dict[str, dict[str, Any]] = {"published": {"width": 64}, "small": {"width": 8}}
PUBLISHED_SIGMA_MAX = 7.0  # px: the released weights' map, as its code reads it
_VGG_BLOCKS = (2, 2, 4, 4, 4)  # VGG-19's convolutions between its poolings
_VGG_WIDTHS = (1, 2, 4, 8, 8)  # in units of the first
_VGG_MEAN = (103.939, 116.779, 123.68)  # blue, green, red
_REFINEMENTS = 7
_SLOPE = 0.2
_LARGEST_COC = 15.0  # px, of the released weights' training data


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _applied(layer: nn.Module, features: Tensor) -> Tensor:
    """A 3×3 convolution that continues edges by their last pixel."""
    return layer(pad(features, (1, 1, 1, 1), mode="replicate"))  # type: ignore[no-any-return]


class ShiftNorm(nn.Module):
    """Batch normalisation with a shift and no scale. ``momentum``: the share of a batch in the running figures."""

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.bias = nn.Parameter(torch.zeros(channels))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C×h×w."""
        scale = torch.ones_like(self.bias)
        return batch_norm(features, self.mean, self.variance, scale, self.bias, self.training, self.momentum, 1e-5)


class Normed(nn.Module):
    """conv → normalisation; what follows is the caller's."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv, self.norm = _conv(inputs, outputs, kernel), ShiftNorm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×h×w → N×C'×h×w."""
        made = _applied(self.conv, features) if self.conv.kernel_size == (3, 3) else self.conv(features)
        return self.norm(made)  # type: ignore[no-any-return]


class DMENet(Peer):
    """A defocus map by a U-Net behind VGG-19; 26.94 million parameters, 20.02 of them the encoder's.

    It deblurs nothing: ``deblurred`` is the blurred picture, which non-blind deconvolution with the map then takes.
    ``defocus`` is in 0..1 by a sigmoid; with ``circles``, as in the released weights, the network's own output is a
    circle of confusion in units of 15 px, and ``defocus`` is (15·output - 1) / 2 px of sigma, at least 0, in units of
    7 px, as the released code reads it. ``stages``: the network's output, then, in training, those of the side
    outputs, coarse to fine, which the published count includes (1.59 million).

    Left out are the parts that adapt it from synthetic to real photos in its own training: the discriminator (its loss
    wants unlabelled real photos), the blur calibration (wants binary masks), and the perceptual loss (wants an
    ImageNet-trained VGG-19, as does the published encoder's start; here it starts from random weights).
    """

    multiple = 16
    estimates_map = True

    def __init__(self, config: PeerConfig, width: int, circles: bool = False) -> None:
        super().__init__(config)
        self.circles = circles
        widths = [width * factor for factor in _VGG_WIDTHS]
        self.encoder = nn.ModuleList(
            nn.ModuleList(_conv(before if k == 0 else now, now) for k in range(count))
            for before, now, count in zip([3, *widths[:-1]], widths, _VGG_BLOCKS, strict=True)
        )
        ups = [4 * width, 2 * width, width, width]  # of the decoder's levels, coarse to fine
        below = [widths[-1], *ups[:-1]]
        skips = widths[-2::-1]
        self.decoder = nn.ModuleList(
            nn.ModuleList(Normed(low + skip if k == 0 else now, now) for k in range(3 if level < 3 else 1))
            for level, (low, skip, now) in enumerate(zip(below, skips, ups, strict=True))
        )
        self.sides = nn.ModuleList(
            nn.ModuleList((Normed(channels, inner), Normed(inner, 1)))
            for channels, inner in zip(
                [widths[-1], *ups], [4 * width, 2 * width, width, width // 2, width // 2], strict=True
            )
        )
        self.refinements = nn.ModuleList(
            nn.ModuleList((Normed(width, width, kernel=1), Normed(width, width), Normed(width, width)))
            for _ in range(_REFINEMENTS)
        )
        self.last = nn.ModuleList((Normed(width, width), Normed(width, width // 2), _conv(width // 2, 1)))

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×1×H×W in 0..1; the picture comes back as it is."""
        levels = self._encoded(blurred)
        features, sides = levels[-1], [self._side(0, levels[-1])] if self.training else []
        for level, (layers, skip) in enumerate(zip(self.decoder, levels[-2::-1], strict=True)):
            features = torch.cat([interpolate(features, scale_factor=2.0), skip], dim=1)
            for layer in parts(layers):
                features = leaky_relu(layer(features), _SLOPE)
            if self.training:
                sides.append(self._side(level + 1, features))
        made = self._refined(features).sigmoid()
        defocus = ((_LARGEST_COC * made - 1) / 2).clamp_min(0) / PUBLISHED_SIGMA_MAX if self.circles else made
        return Restored(blurred, defocus, (made, *sides))

    def _encoded(self, blurred: Tensor) -> list[Tensor]:
        """VGG-19's features before each pooling."""
        features = 255 * blurred[:, [2, 1, 0]] - blurred.new_tensor(_VGG_MEAN).reshape(1, 3, 1, 1)
        found: list[Tensor] = []
        for level, layers in enumerate(self.encoder):
            features = max_pool2d(features, 2) if level else features
            for layer in parts(layers):
                features = _applied(layer, features).relu()
            found.append(features)
        return found

    def _side(self, level: int, features: Tensor) -> Tensor:
        """A map of a level's features alone."""
        first, last = parts(self.sides[level])
        return last(leaky_relu(first(features), _SLOPE)).sigmoid()  # type: ignore[no-any-return]

    def _refined(self, features: Tensor) -> Tensor:
        """The map before its sigmoid."""
        for refinement in self.refinements:
            beside, first, second = parts(refinement)
            made = leaky_relu(second(leaky_relu(first(features), _SLOPE)), _SLOPE)
            features = made + leaky_relu(beside(features), _SLOPE)
        first, second, output = parts(self.last)
        features = leaky_relu(second(leaky_relu(first(features), _SLOPE)), _SLOPE)
        return _applied(output, features)

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Mean squared differences of the map and of the side outputs."""
        target = padded(truth.defocus, self.multiple)
        made, *sides = restored.stages
        loss = mse_loss(made.float(), target)
        for side in sides:
            loss = loss + mse_loss(side.float(), interpolate(target, size=side.shape[2:], mode="nearest-exact"))
        return loss
