"""The fused network against the network."""

import numpy as np
import pytest
import torch
from torch import nn

from sftdec.inference.fused import FusedNetwork, can_fuse
from sftdec.networks import build_network
from sftdec.params.network import MODULATIONS, NetworkConfig
from tests.inference.stirred import picture, runtime, stirred_network, whole

OTHERWISE = {"gamma": "scale", "gamma_activation": "sigmoid", "global_residual": False, "dme_relu": True, "merge": True}


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("changes", [{"stem": 1}, {"stem": 2, "blocks": 2}, {"stem": 4, **OTHERWISE}])
def test_it_computes_what_the_network_does(modulation, changes):
    net, image = stirred_network(modulation=modulation, **changes), picture(36, 48)
    computing = runtime(net)
    assert isinstance(computing.parts, FusedNetwork)
    expected, expected_map = whole(net, image)
    blurred = image.transpose(2, 0, 1)[None]
    guide = computing.estimate_map(blurred)
    assert np.abs(guide[0, 0] - expected_map).max() <= 1e-6
    mean, stem = None, net.config.stem
    if computing.reach.pools:
        everything = (slice(0, 36 // stem), slice(0, 48 // stem))
        mean = computing.sum_condition(guide, *everything) / (36 * 48 / stem**2)
        mean = mean.astype(np.float32)[None, :, None, None]
    found = computing.deblur(blurred, guide, mean)[0].transpose(1, 2, 0)
    assert np.abs(found - expected).max() <= 1e-6 * max(1, np.abs(expected).max())


def test_in_bf16_it_comes_nearer_to_fp32_than_the_network():
    if not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("needs a CPU that computes bf16")
    net = stirred_network(features=32, blocks=4)
    part, guide = picture(64, 64).transpose(2, 0, 1)[None], picture(64, 64, 1)[None, None, ..., 0]
    mean = np.full((1, 8, 1, 1), 0.3, np.float32)
    fused, plain = runtime(net, "bf16"), runtime(net, "bf16")
    plain.parts = net
    expected = runtime(net).deblur(part, guide, mean)
    errors = [np.square(each.deblur(part, guide, mean) - expected).mean() for each in (fused, plain)]
    assert 0 < errors[0] < errors[1]


def test_another_network_and_local_pooling_are_left_as_they_are():
    net = build_network(NetworkConfig.of_size("small"))
    assert can_fuse(net)
    net.deblurring.blocks[0].add_module("branch", nn.Conv2d(8, 8, 1))
    assert not can_fuse(net)
    net = stirred_network(window=16)
    assert runtime(net).parts is net
