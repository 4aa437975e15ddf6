"""DID-ANet as a peer of the same size, for the same training."""

import pytest
import torch

from sftdec.params.network import NetworkConfig
from sftdec.peers import build_did_anet

TINY = {"features": 8, "blocks": 2, "dme_features": 8}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def seen_by_the_middle(output_of, size=99):
    """How many px wide the part of the input is that the output's middle depends on."""
    picture = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(1)).requires_grad_()
    output_of(picture)[..., size // 2, size // 2].sum().backward()
    columns = picture.grad.abs().sum((0, 1, 2)).nonzero()
    return int(columns.max() - columns.min()) + 1


def test_the_paper_size_has_the_published_numbers_of_parameters():
    net = build_did_anet(NetworkConfig.of_size("paper"))
    assert count(net.defocus_map_estimation) == 334_721
    assert count(net) - count(net.defocus_map_estimation) == 4_878_467


def test_the_paper_size_has_the_published_receptive_fields():
    net = build_did_anet(
        NetworkConfig.of_size("paper", features=8, dme_features=8, dme_block_init=1.0, output_init=1.0)
    )
    assert seen_by_the_middle(lambda picture: net(picture).defocus) == 23
    given = torch.zeros(1, 1, 99, 99)  # with the estimated map it would see 22 px more
    assert seen_by_the_middle(lambda picture: net(picture, given).deblurred) == 71


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("size", [(16, 16), (17, 23)])
def test_any_height_and_width_give_pictures_of_that_size_and_an_untrained_network_changes_nothing(stem, size):
    blurred = torch.rand(2, 3, *size)
    restored = build_did_anet(NetworkConfig.of_size("small", **TINY, stem=stem))(blurred)
    assert torch.equal(restored.deblurred, blurred) and restored.defocus.shape == (2, 1, *size)
    with pytest.raises(ValueError, match="N×3×H×W"):
        build_did_anet(NetworkConfig.of_size("small", **TINY))(torch.zeros(1, 3, 15, 40))


def test_the_given_map_guides_the_deblurring_and_the_returned_map_stays_the_estimate():
    net = build_did_anet(NetworkConfig.of_size("small", **TINY, output_init=1.0))
    blurred = torch.rand(1, 3, 32, 40)
    sharp, far = (net(blurred, torch.full((1, 1, 32, 40), level)) for level in (0.0, 1.0))
    assert not torch.allclose(sharp.deblurred, far.deblurred) and torch.equal(sharp.defocus, net(blurred).defocus)


def test_gradients_of_both_tasks_reach_every_parameter():
    net = build_did_anet(NetworkConfig.of_size("small", **TINY, output_init=1.0, dme_block_init=1.0))
    restored = net(torch.rand(1, 3, 32, 40))
    (restored.deblurred.square().sum() + restored.defocus.square().sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_equal_seeds_give_equal_networks():
    first, second, other = (build_did_anet(NetworkConfig.of_size("small", **TINY), seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.first.weight, other.first.weight)
