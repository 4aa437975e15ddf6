"""The reach that is read off the modules, against what gradients say."""

import pytest
import torch
from torch import nn

from sftdec.inference.receptive_field import measure_reach, reach_of
from sftdec.networks import build_network
from sftdec.params.network import MODULATIONS, NetworkConfig
from tests.inference.stirred import stirred_network

VARIED = {"blocks": 2, "spatial_kernel": 5}


def seen(output, given, stem):
    """How far, in features, the middle of ``output`` depends on ``given`` up, down, left and right."""
    half = output.shape[2] // 2 // stem * stem
    middle = output[:, :, half : half + stem, half : half + stem]
    (gradient,) = torch.autograd.grad(middle.square().sum(), given, retain_graph=True)
    _, _, rows, columns = torch.nonzero(gradient, as_tuple=True)
    step = stem if given.shape[2] == output.shape[2] else 1  # what is given counts pixels, or features
    middle_feature = half // stem
    first, last = min(rows.min(), columns.min()) // step, max(rows.max(), columns.max()) // step
    return {middle_feature - int(first), int(last) - middle_feature}


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("modulation", MODULATIONS)
def test_reach_is_exactly_what_gradients_say(modulation, stem):
    varied = {"modulation": modulation, "stem": stem, "merge": stem == 1, "dme_dilations": (1, 3, 1, 2)}
    net = stirred_network("small", **varied, **VARIED).double()
    reach, side = measure_reach(net), 45 * stem
    generator = torch.Generator().manual_seed(0)
    blurred, guide = (torch.rand(1, c, side, side, generator=generator, dtype=torch.float64) for c in (3, 1))
    means = torch.rand(1, 8, 45, 45, generator=generator, dtype=torch.float64)
    for given in (blurred, guide, means):
        given.requires_grad_()
    assert seen(net.defocus_map_estimation(blurred), blurred, stem) == {reach.defocus}
    deblurred = net.deblur(blurred, guide, means)
    assert seen(deblurred, blurred, stem) == {reach.blurred}
    if modulation == "baseline":
        assert (reach.guide, reach.condition, reach.transforms) == (0, 0, 0)
        return
    assert seen(deblurred, guide, stem) == {reach.guide}
    condition = net.condition(guide)
    places = condition[:, :, 22:23, 22:23].square().sum()
    rows = torch.nonzero(torch.autograd.grad(places, guide)[0])[:, 2] // stem
    assert {22 - int(rows.min()), int(rows.max()) - 22} == {reach.condition}
    assert reach.pools == net.has_channel_part
    if reach.pools:
        assert seen(deblurred, means, stem) == {reach.transforms}


def test_at_paper_size_it_is_what_the_paper_draws():
    reach = measure_reach(build_network(NetworkConfig.of_size("paper")))
    assert (reach.defocus, reach.condition, reach.blurred, reach.guide) == (11, 3, 35, 38)


def test_a_window_is_counted_in_features():
    assert measure_reach(stirred_network("small", window=21, stem=2)).window == 11


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.Conv2d(3, 3, 4), nn.Upsample(2)])
def test_what_has_no_known_reach_is_refused(layer):
    with pytest.raises(TypeError):
        reach_of(nn.Sequential(nn.Conv2d(3, 3, 1), layer))
