"""The networks of the comparison: before they are trained, and in files."""

from pathlib import Path

from sftdec.experiments.comparison import OURS, Comparison
from sftdec.networks import SFTDec, build_network, save_weights
from sftdec.params import Params
from sftdec.peers import AnyNetwork, build_peer, save_peer


def fresh_network(model: str, comparison: Comparison, params: Params) -> AnyNetwork:
    """The model as it is before training."""
    if model == OURS:
        return build_network(params.network, comparison.seed)
    return build_peer(model, comparison.network_size, comparison.seed, params.fetch.sigma_max)


def save_network(network: AnyNetwork, comparison: Comparison, path: Path) -> None:
    """Write a model of the comparison as ``load_network`` reads it."""
    if isinstance(network, SFTDec):
        save_weights(network, path)
    else:
        save_peer(network, comparison.network_size, path)
