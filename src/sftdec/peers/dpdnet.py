"""DPDNet, single image (Abuolaim & Brown, "Defocus Deblurring Using Dual-Pixel Data", ECCV 2020).

N: batch; H, W: picture; C: channels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, interpolate, max_pool2d, mse_loss, pad

from sftdec.peers.peer import Peer, PeerConfig, Restored, parts
from sftdec.peers.truth import Truth

SIZES: dict[str, dict[str, Any]] = {"published": {"width": 64}, "small": {"width": 11}}
_LEVELS = 5  # of the U-Net, the bottleneck among them


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, padding="same" if kernel % 2 else 0)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class DPDNet(Peer):
    """A U-Net of five levels from picture to picture; nothing is added to the blurred one.

    The paper's network takes the two views of a dual-pixel sensor; its authors trained this one on single pictures to
    compare with: three channels into the first convolution instead of six, 31.03 million parameters.
    Published training: 16-bit DPDD, the 30 % of patches with the least edges left out.
    """

    multiple = 2 ** (_LEVELS - 1)

    def __init__(self, config: PeerConfig, width: int, dropout_rate: float = 0.4) -> None:
        super().__init__(config)
        self.dropout_rate = dropout_rate
        widths = [width * 2**level for level in range(_LEVELS)]
        self.down = nn.ModuleList(
            nn.ModuleList((_conv(before, now), _conv(now, now)))
            for before, now in zip([3, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ModuleList((_conv(2 * now, now, kernel=2), _conv(2 * now, now), _conv(now, now)))
            for now in reversed(widths[:-1])
        )
        self.colours = _conv(width, 3)
        self.output = _conv(3, 3, kernel=1)
        nn.init.xavier_uniform_(self.output.weight)

    def restore(self, blurred: Tensor) -> Restored:
        """N×3×H×W → N×3×H×W in 0..1."""
        features, skipped = blurred, []
        for level, layers in enumerate(self.down):
            first, second = parts(layers)
            features = second(first(features).relu()).relu()
            if level >= _LEVELS - 2:  # the last two
                features = dropout(features, self.dropout_rate, self.training)
            skipped.append(features)
            if level < _LEVELS - 1:
                features = max_pool2d(features, 2)
        for layers, skip in zip(self.up, skipped[-2::-1], strict=True):
            widen, first, second = parts(layers)
            wide = pad(interpolate(features, scale_factor=2.0), (0, 1, 0, 1))  # even kernels: zeros below and right
            features = second(first(torch.cat([skip, widen(wide).relu()], dim=1)).relu()).relu()
        return Restored(self.output(self.colours(features).relu()).sigmoid())

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """Mean squared difference of the pictures."""
        return mse_loss(restored.deblurred.float(), truth.sharp)
