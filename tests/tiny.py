"""A network so small that tests need not wait for it."""

from pathlib import Path

import torch

from sftdec.networks import SFTDec, build_network, save_weights
from sftdec.params import NetworkConfig

TINY = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}


def tiny_network(seed: int = 0) -> SFTDec:
    """A network with random weights, ready to be used."""
    return build_network(NetworkConfig.of_size("small", **TINY), seed).eval()


def tiny_weights(path: Path) -> Path:
    """Its weights in a file."""
    save_weights(tiny_network(), path)
    return path


def stirred_network() -> SFTDec:
    """One that changes pictures, which a fresh one gives back, and takes all of them for blurred by about 1.2 px."""
    network = tiny_network()
    with torch.no_grad():
        network.deblurring.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
        network.defocus_map_estimation.last.bias += 0.2
    return network
