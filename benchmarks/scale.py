"""What docs/scale.md starts from: operations and memory a patch.

    python benchmarks/scale.py [--sizes paper small] [--crop 256] [--no-peak]

- ``forward``, ``step``: multiply-accumulates (MAC) of one crop through the network, and of a training step on it
  (forward and backward, and once more forward through the blocks where they are checkpointed), as
  torch.utils.flop_counter counts them: convolutions and matrix products, two operations a MAC.
- ``kept``: bytes that autograd keeps from forward to backward for one crop, each storage once, weights left out.
- ``peak``: by how much the largest resident memory of a process grows that has the weights and takes one such step on
  this machine's CPU (Linux); a process of its own for each row of SFT-Dec (``--no-peak`` leaves it out: each takes
  seconds).
"""

import argparse
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from sftdec.networks import SFTDec, build_network
from sftdec.params import MODULATIONS, LossParams, NetworkConfig
from sftdec.peers import DIDANet, build_did_anet
from sftdec.runtime import Precision, autocast
from sftdec.training import stage_loss

LOSS = LossParams(lambda_1=0.2, lambda_2=0.9, lambda_3=0.0)  # eq. 7
DEVICE = torch.device("cpu")


def built(size: str, kind: str, checkpointed: bool) -> SFTDec | DIDANet:
    """A network in training: a modulation of SFT-Dec, or ``did_anet``."""
    if kind == "did_anet":
        return build_did_anet(NetworkConfig.of_size(size)).train()
    network = build_network(NetworkConfig.of_size(size, modulation=kind)).train()
    network.checkpoint_activations = checkpointed
    return network


def take_step(network: SFTDec | DIDANet, crop: int, precision: Precision, device: str) -> None:
    """Forward and backward of one crop; no optimizer."""
    blurred, sharp = torch.rand(2, 1, 3, crop, crop, device=device)
    defocus = torch.rand(1, 1, crop, crop, device=device)
    with autocast(DEVICE, precision):
        restored = network(blurred.contiguous(memory_format=torch.channels_last))
    stage_loss(restored.deblurred, restored.defocus, sharp, defocus, LOSS).total.backward()


def count_macs(network: SFTDec | DIDANet, crop: int) -> tuple[float, float]:
    """MACs of a forward pass and of a training step; nothing is computed (meta tensors)."""
    network = network.to("meta")
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network(torch.rand(1, 3, crop, crop, device="meta"))
    with FlopCounterMode(display=False) as step:
        take_step(network, crop, "fp32", "meta")
    return forward.get_total_flops() / 2, step.get_total_flops() / 2


@contextmanager
def counting_kept(network: torch.nn.Module) -> Iterator[dict[int, int]]:
    """Bytes of each storage that autograd keeps inside the block, by its address."""
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def kept_bytes(size: str, kind: str, crop: int, precision: Precision, checkpointed: bool) -> int:
    """What is kept for one crop."""
    network = built(size, kind, checkpointed)
    blurred = torch.rand(1, 3, crop, crop).contiguous(memory_format=torch.channels_last)
    with counting_kept(network) as kept, autocast(DEVICE, precision):
        restored = network(blurred)  # held until the sum is made, so that no address is used twice
        found = sum(kept.values())
    del restored
    return found


def _high_water() -> int:
    """Largest resident memory of this process so far, bytes; getrusage would count that of its parent too."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _peak(size: str, kind: str, crop: int, precision: Precision, checkpointed: bool) -> int:
    """Run in a process of its own."""
    network = built(size, kind, checkpointed)
    take_step(network, 16, precision, "cpu")  # gradients and what libraries allocate once
    before = _high_water()
    take_step(network, crop, precision, "cpu")
    return _high_water() - before


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["paper", "small"], choices=["paper", "small"])
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--no-peak", action="store_true")
    arguments = parser.parse_args()
    crop = arguments.crop
    for size in arguments.sizes:
        rows = []
        for kind in (*MODULATIONS, "did_anet"):
            network = built(size, kind, False)
            parameters = sum(parameter.numel() for parameter in network.parameters())
            forward, step = count_macs(network, crop)
            rows.append({"network": kind, "parameters": parameters, "forward (GMAC)": forward / 1e9})
            rows[-1] |= {"step (GMAC)": step / 1e9, "MAC a px": forward / crop**2}
            if kind != "did_anet":
                rows[-1]["step, checkpointed (GMAC)"] = count_macs(built(size, kind, True), crop)[1] / 1e9
        print(f"{size}, one crop of {crop} px\n{pd.DataFrame(rows).set_index('network').round(2).to_string()}\n")
        rows = []
        modes: list[tuple[str, Precision, bool]] = [
            (kind, precision, checkpointed)
            for kind in (*MODULATIONS, "did_anet")
            for precision in ("fp32", "bf16")
            for checkpointed in (False, True)
            if kind == "sft_dec" or (precision == "bf16" and not (checkpointed and kind == "did_anet"))
        ]
        for kind, precision, checkpointed in modes:
            row = {"network": kind, "precision": precision, "checkpointed": checkpointed}
            row["kept (MB)"] = kept_bytes(size, kind, crop, precision, checkpointed) / 1e6
            if kind == "sft_dec" and not arguments.no_peak:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    row["peak (MB)"] = pool.apply(_peak, (size, kind, crop, precision, checkpointed)) / 1e6
            rows.append(row)
        table = pd.DataFrame(rows).round(1).to_string(index=False, na_rep="")
        print(f"{size}, memory for one crop of {crop} px\n{table}\n", flush=True)


if __name__ == "__main__":
    main()
