"""What docs/peers.md states of the peers: parameters, and multiply-accumulates a megapixel.

    python benchmarks/peers.py

Nothing is computed (meta tensors): operations are those that torch.utils.flop_counter counts in one forward pass of
256×256 px, convolutions and matrix products, two a MAC. IFAN's filters that differ from pixel to pixel are none of
these and left out. ``for the loss``: parameters of parts that serve the loss alone.
"""

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from sftdec.networks import build_network
from sftdec.params import NetworkConfig
from sftdec.peers import PEERS, build_peer

SIDE = 256  # px


def giga_macs(network: torch.nn.Module) -> float:
    """Of a picture of 1024×1024 px, in thousand millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, SIDE, SIDE, device="meta"))
    return float(counter.get_total_flops()) / 2 / 1e9 * 2**20 / SIDE**2


def main() -> None:
    """Print a table for each size."""
    for size, own in (("published", "paper"), ("small", "small")):
        rows = []
        with torch.device("meta"):
            for name in PEERS:
                network = build_peer(name, size).eval()
                everything, count = sum(p.numel() for p in network.parameters()), network.parameter_count()
                rows.append((name, count / 1e6, (everything - count) / 1e6, giga_macs(network)))
            ours = build_network(NetworkConfig.of_size(own)).eval()
        rows.append(("SFT-Dec", sum(p.numel() for p in ours.parameters()) / 1e6, 0.0, giga_macs(ours)))
        columns = ["network", "parameters (M)", "for the loss (M)", "GMAC/megapixel"]
        print(f"{size}\n{pd.DataFrame(rows, columns=columns).round(3).to_string(index=False)}\n")


if __name__ == "__main__":
    main()
