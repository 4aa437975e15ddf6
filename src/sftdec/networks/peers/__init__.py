"""Other methods' networks, written anew from their papers, to compare with at equal size and equal training.

Each is called as an ``SFTDec`` is and returns ``deblurred`` and ``defocus``, which is None where it estimates no map;
``loss(restored, truth)`` is its own, ``RECIPES`` has its training. ``load_published`` runs the weights that its authors
released.
"""

from sftdec.networks.peers.build import PEERS, AnyNetwork, AnyPeer, PeerSize, build_peer
from sftdec.networks.peers.did_anet import DIDANet, build_did_anet
from sftdec.networks.peers.peer import Peer, PeerConfig, Restored, Truth
from sftdec.networks.peers.published import PublishedWeightsError, load_published
from sftdec.networks.peers.recipes import RECIPES, Recipe
from sftdec.networks.peers.weights import load_network, read_identity, save_peer

__all__ = [
    "PEERS",
    "RECIPES",
    "AnyNetwork",
    "AnyPeer",
    "DIDANet",
    "Peer",
    "PeerConfig",
    "PeerSize",
    "PublishedWeightsError",
    "Recipe",
    "Restored",
    "Truth",
    "build_did_anet",
    "build_peer",
    "load_network",
    "load_published",
    "read_identity",
    "save_peer",
]
