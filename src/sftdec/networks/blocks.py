"""The pieces that the sub-networks share. N: batch; C: channels; H, W: feature map."""

from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 3, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps H and W; kaiming-normal weights, zero bias (as DID-ANet initialises)."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class ResidualBlock(nn.Module):
    """conv → ReLU → conv, plus identity; no normalisation (DID-ANet)."""

    def __init__(self, features: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv(features, features, dilation=dilation)
        self.second = conv(features, features, dilation=dilation)
        nn.init.zeros_(self.second.weight)  # each block starts as the identity, whatever their number

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        return features + self.second(self.first(features).relu())  # type: ignore[no-any-return]
