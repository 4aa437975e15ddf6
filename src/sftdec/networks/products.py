"""The two products of an SFT layer, with gradients in as few passes over a feature map as there need be.

PyTorch's own gradient of ``addcmul`` multiplies four times where two do, and that of a product of two parts writes each
part's share as large as the product before it sums it up.

N: batch; C: features; H, W: feature map.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Modulation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gamma: Tensor, features: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(gamma, features)
        return torch.addcmul(beta, gamma, features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gamma, features = ctx.saved_tensors
        return gradient * features, gradient * gamma, gradient


class _Outer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, channel: Tensor, spatial: Tensor) -> Tensor:
        ctx.save_for_backward(channel, spatial)
        # in the feature maps' layout: its parts don't show theirs, and each operation on two layouts takes long
        return (channel.permute(0, 2, 3, 1) * spatial.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        channel, spatial = ctx.saved_tensors
        of_channel = (gradient * spatial).sum((2, 3), keepdim=True)
        of_spatial = channel.flatten(1)[:, None] @ gradient.flatten(2)  # N×1×HW: nothing of the product's size
        return of_channel, of_spatial.view_as(spatial)


def modulate(gamma: Tensor, features: Tensor, beta: Tensor) -> Tensor:
    """γ ⊙ F + β of three N×C×H×W."""
    if torch.compiler.is_compiling():
        return torch.addcmul(beta, gamma, features)
    made: Tensor = _Modulation.apply(gamma, features, beta)  # type: ignore[no-untyped-call]
    return made


def outer(channel: Tensor, spatial: Tensor) -> Tensor:
    """Channel part N×C×1×1 (or N×C×H×W, one of its own for each pixel) ⊗ spatial part N×1×H×W → N×C×H×W."""
    if torch.compiler.is_compiling() or channel.shape[2:] != (1, 1):
        return channel * spatial
    made: Tensor = _Outer.apply(channel, spatial)  # type: ignore[no-untyped-call]
    return made
