from .build import PEERS, AnyNetwork, AnyPeer, build_peer
from .did_anet import DIDANet, build_did_anet
from .peer import Restored
from .published import PublishedWeightsError, load_published
from .recipes import RECIPES, Recipe
from .truth import Truth
from .weights import load_network, save_peer

__all__ = [
    "PEERS",
    "RECIPES",
    "AnyNetwork",
    "AnyPeer",
    "DIDANet",
    "PublishedWeightsError",
    "Recipe",
    "Restored",
    "Truth",
    "build_did_anet",
    "build_peer",
    "load_network",
    "load_published",
    "save_peer",
]
