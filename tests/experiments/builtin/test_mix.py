import pytest
import torch

from experiments.builtin.mix import mix
from sftdec.networks import SFTDec
from sftdec.params import NetworkConfig
from sftdec.runtime import DataError


def made(seed: int, features: int = 8) -> SFTDec:
    torch.manual_seed(seed)
    return SFTDec(NetworkConfig(features=features, blocks=1, dme_features=4))


def test_a_mix_lies_between_both_and_its_ends_are_they():
    before, after = made(0).state_dict(), made(1).state_dict()
    for share in (0, 0.25, 1):
        for key, value in mix(made(0), made(1), share).state_dict().items():
            assert torch.allclose(value, before[key] + share * (after[key] - before[key]), atol=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_is_refused(share):
    with pytest.raises(DataError, match="--share"):
        mix(made(0), made(1), share)


def test_networks_of_two_shapes_are_refused():
    with pytest.raises(DataError, match="two shapes"):
        mix(made(0), made(1, features=12), 0.5)
