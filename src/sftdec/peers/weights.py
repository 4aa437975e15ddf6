"""Weights of peers in files that explain themselves, as ``networks.weights`` writes an SFT-Dec's."""

from pathlib import Path

from sftdec.networks import WeightsError, load_tensors, load_weights, read_config, read_metadata, write_tensors
from sftdec.params import ConfigError, NetworkConfig
from sftdec.peers.build import AnyNetwork, AnyPeer, build_peer
from sftdec.peers.did_anet import DIDANet
from sftdec.peers.peer import PeerConfig

_PEER, _CROP = "peer", "training_crop"  # among the metadata; no SFT-Dec has the first


def save_peer(network: AnyPeer, size: str, path: Path) -> None:
    """Write a peer that ``build_peer`` has built at ``size``, whole or not at all; equal networks give equal bytes."""
    name = "did_anet" if isinstance(network, DIDANet) else network.config.name
    described = {
        _PEER: name,
        "network_size": size,
        "sigma_max": network.config.sigma_max,
        _CROP: network.training_crop,
    }
    write_tensors(network, described, path)


def read_identity(path: Path) -> PeerConfig | NetworkConfig:
    """Which network a weights file is of, without reading its tensors.

    Raises:
        WeightsError: the file is missing, cut short, or not one of ours.
    """
    described = read_metadata(path)
    if _PEER not in described:
        return read_config(path)
    try:
        return PeerConfig(str(described[_PEER]), str(described["network_size"]), float(described["sigma_max"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its configuration can't be read ({error!r}); it is of another version") from error


def load_network(path: Path) -> AnyNetwork:
    """The network of a weights file of either kind, SFT-Dec or a peer, on the CPU, in evaluation mode.

    Raises:
        WeightsError: the file is missing, cut short, not one of ours, or its tensors don't fit its configuration.
    """
    identity = read_identity(path)
    if isinstance(identity, NetworkConfig):
        return load_weights(path)
    try:
        network = build_peer(identity.name, identity.size, sigma_max=identity.sigma_max)  # type: ignore[arg-type]
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}; the file is of another version") from error
    load_tensors(network, path)
    network.training_crop = read_metadata(path).get(_CROP)
    return network.eval()
