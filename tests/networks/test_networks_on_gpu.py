"""The network on a GPU. ``make gpu`` runs this where there is little but PyTorch and pytest."""

import pytest
import torch

from sftdec.networks import build_network
from sftdec.params import NetworkConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_a_gpu_gives_what_the_cpu_gives():
    network = build_network(NetworkConfig.of_size("small", features=8, blocks=2, dme_features=8))
    picture = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        made, on_gpu = network(picture), network.cuda()(picture.cuda())
    assert torch.allclose(on_gpu.defocus.cpu(), made.defocus, atol=1e-4)
    assert torch.allclose(on_gpu.deblurred.cpu(), made.deblurred, atol=1e-4)
