"""The network that the engine is measured against computes what the engine computes."""

import copy

import pytest
import torch

from benchmarks.plain_network import PlainSFTDec, Steps
from sftdec.networks import build_network
from sftdec.params.network import NetworkConfig

TINY = {"features": 8, "blocks": 2, "dme_features": 8, "condition_features": 8, "sft_features": 8, "output_init": 1.0}
STEPS = [Steps(), Steps(trunk_once=True), Steps(trunk_once=True, fused=True), Steps(True, True, True)]


@pytest.mark.parametrize("steps", STEPS, ids=str)
@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
@pytest.mark.parametrize("modulation", ["sft", "sft_dec", "sft_fdec"])
def test_the_plain_network_gives_the_same_pictures_maps_and_gradients(modulation, activation, steps):
    config = NetworkConfig.of_size("small", **TINY, modulation=modulation, gamma_activation=activation)
    network = build_network(config)
    plain = PlainSFTDec(copy.deepcopy(network), steps)
    blurred = torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    found, expected = plain(blurred), network(blurred)
    assert torch.allclose(found.deblurred, expected.deblurred, atol=1e-5)
    assert torch.allclose(found.defocus, expected.defocus, atol=1e-6)
    for restored in (found, expected):
        (restored.deblurred.square().sum() + restored.defocus.square().sum()).backward()
    theirs, ours = (net.defocus_map_estimation.first.weight.grad for net in (plain, network))
    assert torch.allclose(theirs, ours, rtol=1e-3, atol=1e-4 * float(ours.abs().max()))


def test_the_plain_network_has_as_many_parameters():
    network = build_network(NetworkConfig.of_size("small"))
    for steps in STEPS:
        plain = PlainSFTDec(copy.deepcopy(network), steps)
        assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in network.parameters())
