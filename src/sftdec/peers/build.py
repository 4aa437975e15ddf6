"""One way to build all peers."""

from typing import Any, Literal, get_args

import torch

from sftdec.networks import SFTDec
from sftdec.params import ConfigError, NetworkConfig
from sftdec.peers import dme_net, dpdnet, ifan, mimo_unet, mprnet, nafnet
from sftdec.peers.did_anet import DIDANet, build_did_anet, released_config
from sftdec.peers.peer import Peer, PeerConfig

PeerSize = Literal["published", "small"]
AnyPeer = DIDANet | Peer
AnyNetwork = SFTDec | AnyPeer
_Sizes = dict[str, dict[str, Any]]

_NETWORKS: dict[str, tuple[type[Peer], _Sizes]] = {
    "dpdnet": (dpdnet.DPDNet, dpdnet.SIZES),
    "ifan": (ifan.IFAN, ifan.SIZES),
    "mprnet": (mprnet.MPRNet, mprnet.SIZES),
    "mimo_unet": (mimo_unet.MIMOUNet, mimo_unet.SIZES),
    "mimo_unet_plus": (mimo_unet.MIMOUNet, mimo_unet.PLUS_SIZES),
    "nafnet32": (nafnet.NAFNet, nafnet.SIZES[32]),
    "nafnet64": (nafnet.NAFNet, nafnet.SIZES[64]),
    "dme_net": (dme_net.DMENet, dme_net.SIZES),
}
PEERS: tuple[str, ...] = ("did_anet", *_NETWORKS)


def build_peer(
    name: str, size: PeerSize = "published", seed: int = 0, sigma_max: float = 6.0, **changes: Any
) -> AnyPeer:
    """A peer with fresh weights that depend on the seed alone.

    ``published`` is the size that its paper reports, ``small`` one for CPUs (0.2 to 1 million parameters, about the
    work of ``SFTDec`` at ``small``). ``sigma_max``: px of sigma that a map's 1.0 stands for. ``changes``: of what its
    class is built from, as ``isotropic`` of IFAN.

    Raises:
        ConfigError: an unknown name or size.
    """
    if name not in PEERS:
        raise ConfigError(f"peer: found {name!r}, expected one of {', '.join(PEERS)}")
    if size not in get_args(PeerSize):
        raise ConfigError(f"peer {name}: found size {size!r}, expected one of {', '.join(get_args(PeerSize))}")
    if name == "did_anet":
        released = size == "published"
        config = released_config(sigma_max) if released else NetworkConfig.of_size("small", sigma_max=sigma_max)
        return build_did_anet(config, seed, released)
    network, sizes = _NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(PeerConfig(name, size, sigma_max), **{**sizes[size], **changes})
