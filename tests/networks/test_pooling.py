"""Local pooling at test time (TLC): a mean over a window instead of the whole picture."""

import numpy as np
import pytest
import torch

from sftdec.networks import build_network
from sftdec.networks.pooling import pooled
from sftdec.networks.sft import DecomposedMap
from sftdec.params.network import NetworkConfig

TINY = {"features": 8, "blocks": 2, "dme_features": 8, "condition_features": 8, "sft_features": 8, "reduction": 1}


def features(height=12, width=15, count=2):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(4))


def network(**changes):
    net = build_network(NetworkConfig.of_size("small", **(TINY | changes)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.05)
    return net.eval()


def picture(height=48, width=60):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("window", [None, 15, 16, 100])
def test_a_window_that_covers_the_picture_is_the_global_mean(window):
    assert torch.equal(pooled(features(), window), features().mean((2, 3), keepdim=True))


@pytest.mark.parametrize("window", [1, 2, 5, 12])
def test_a_constant_has_its_own_value_as_mean_everywhere(window):
    assert torch.equal(pooled(torch.full((1, 2, 12, 15), 0.3), window), torch.full((1, 2, 12, 15), 0.3))


@pytest.mark.parametrize("window", [1, 2, 3, 6, 7, 12, 13])
def test_each_mean_is_that_of_its_box_and_at_the_border_that_of_the_nearest_whole_box(window):
    given = features().double().numpy()
    rows, columns = min(window, 12), min(window, 15)
    expected = np.empty_like(given)
    for y, x in np.ndindex(12, 15):
        top = min(max(y - (rows - 1) // 2, 0), 12 - rows)
        left = min(max(x - (columns - 1) // 2, 0), 15 - columns)
        expected[:, :, y, x] = given[:, :, top : top + rows, left : left + columns].mean((2, 3))
    assert np.allclose(pooled(features(), window).numpy(), expected, atol=1e-6)


def test_bfloat16_is_summed_exactly_and_stays_bfloat16():
    exact = pooled(features(200, 200, 1).bfloat16().float(), 64)
    found = pooled(features(200, 200, 1).bfloat16(), 64)
    assert found.dtype == torch.bfloat16 and torch.allclose(found.float(), exact, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_each_pixels_channel_part_is_that_of_its_own_window(activation):
    part = DecomposedMap(NetworkConfig.of_size("small", **TINY, gamma_activation=activation))
    condition = torch.randn(1, 8, 11, 13, generator=torch.Generator().manual_seed(3))
    cut = condition[:, :, 2:7, 4:9]
    whole, local = part(cut, pooled(cut)), part(condition, pooled(condition, 5))
    assert local.shape == (1, 8, 11, 13)
    assert torch.allclose(local[:, :, 4, 6], whole[:, :, 2, 2], atol=1e-6)


@pytest.mark.parametrize("modulation", ["sft_dec", "sft_fdec"])
def test_a_window_as_large_as_the_picture_changes_nothing(modulation):
    net = network(modulation=modulation)
    expected = net(picture()).deblurred
    net.set_local_pooling(60)
    assert torch.equal(net(picture()).deblurred, expected)
    net.set_local_pooling(24)
    assert not torch.allclose(net(picture()).deblurred, expected)
    net.set_local_pooling(None)
    assert torch.equal(net(picture()).deblurred, expected)


@pytest.mark.parametrize("modulation", ["sft_dec", "sft_fdec"])
def test_where_the_condition_is_constant_a_window_changes_nothing(modulation):
    net = network(modulation=modulation)
    with torch.no_grad():
        for layer in (net.condition.first, net.condition.second, net.condition.third):
            layer.weight.zero_()
        expected = net(picture()).deblurred
        net.set_local_pooling(16)
        assert torch.allclose(net(picture()).deblurred, expected, atol=1e-6)


def test_a_window_is_divided_by_the_stem_rounded_up_as_a_crop_is():
    net = network(stem=2)
    for window, expected in ((88, 44), (89, 45), (2, 1), (None, None)):
        net.set_local_pooling(window)
        assert net.feature_window == expected


@pytest.mark.parametrize("modulation", ["baseline", "sft"])
def test_a_network_without_a_channel_part_has_nothing_to_pool_by_windows(modulation):
    net = network(modulation=modulation)
    assert not net.has_channel_part
    net.set_local_pooling(None)
    with pytest.raises(ValueError, match=f"{modulation}.*sft_dec or sft_fdec"):
        net.set_local_pooling(88)


def test_a_window_smaller_than_a_feature_is_refused():
    with pytest.raises(ValueError, match="1 px, expected 2"):
        network(stem=2).set_local_pooling(1)
