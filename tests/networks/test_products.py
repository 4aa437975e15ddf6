"""The products of an SFT layer: PyTorch's own values and gradients, in the feature maps' layout."""

import pytest
import torch

from sftdec.networks.products import modulate, outer

N, C, H, W = 2, 3, 5, 4


def double(*shape):
    return torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape))
    ).requires_grad_()


def test_gradients_are_those_of_finite_differences():
    features, gamma, beta = (double(N, C, H, W) for _ in range(3))
    assert torch.autograd.gradcheck(modulate, (features, gamma, beta))
    assert torch.autograd.gradcheck(outer, (double(N, C, 1, 1), double(N, 1, H, W)))


@pytest.mark.parametrize("size", [(1, 1), (H, W)])
def test_a_channel_part_may_differ_from_pixel_to_pixel(size):
    channel, spatial = double(N, C, *size), double(N, 1, H, W)
    assert torch.equal(outer(channel, spatial), channel * spatial)


def test_the_product_has_the_layout_that_convolutions_want():
    made = outer(double(N, C, 1, 1), double(N, 1, H, W))
    assert made.is_contiguous(memory_format=torch.channels_last)
