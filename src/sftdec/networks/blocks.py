"""The pieces that the sub-networks share. N: batch; C: channels; H, W: feature map."""

import torch
from torch import Tensor, nn


def conv(
    inputs: int, outputs: int, kernel: int = 3, dilation: int = 1, scale: float = 1.0, bias: float = 0.0
) -> nn.Conv2d:
    """A convolution that keeps H and W; kaiming-normal weights times ``scale`` (DID-ANet), each output's ``bias``."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    nn.init.kaiming_normal_(layer.weight)
    with torch.no_grad():
        layer.weight.mul_(scale)
    nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
    return layer


class ResidualBlock(nn.Module):
    """conv → ReLU → conv, plus identity; no normalisation (DID-ANet). ``scale``: of the second one's first weights."""

    def __init__(self, features: int, dilation: int = 1, scale: float = 1.0) -> None:
        super().__init__()
        self.first = conv(features, features, dilation=dilation)
        self.second = conv(features, features, dilation=dilation, scale=scale)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        return self.second(self.first(features).relu_()).add_(features)  # type: ignore[no-any-return]
