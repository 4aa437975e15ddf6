"""Other methods' networks, written anew from their papers, to compare with at equal size and equal training."""

from sftdec.networks.peers.did_anet import DIDANet, build_did_anet

__all__ = ["DIDANet", "build_did_anet"]
