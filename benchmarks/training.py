"""What each step of the training engine brings: time, and whether the result stays.

    python benchmarks/training.py [--sizes small paper] [--steps 50] [--quality-steps 300] [--seeds 0 1 2]
                                  [--crop PX] [--only plain '+ bf16' did_anet]

Crops of rendered scenes of data/sample; no stage needs to have run. One run holds all variants side by side: the same
weights, the same batches, one step of each in turn, so that other work on the machine disturbs all alike.

- ``plain``: fp32, contiguous; each line below adds one step of the engine. ``ratio``: median over
  steps of plain's time to this variant's, of the same step (a forward pass, the losses, gradients clipped, Adam).
  ``output``: largest difference from plain's pictures before training. ``loss``: difference from plain's loss after all
  steps. ``did_anet``: DID-ANet of the same size in fp32; ``to DID-ANet``: this variant's time, of DID-ANet's.
- quality: PSNR (dB) on crops of the validation scenes after ``--quality-steps`` steps at ``small``, of the averaged
  weights (as training keeps them), from the same weights and batches: in fp32, in bf16, and in fp32 contiguous, which
  rounds otherwise in the last bit and nothing else. Training magnifies any rounding; what the last one differs by is
  what a difference must exceed to mean anything.
"""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from crops import Crops, all_crops, random_crops, scenes
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sftdec.datasets import Scene
from sftdec.networks import SFTDec, build_network
from sftdec.params import LossParams, NetworkConfig
from sftdec.peers import build_did_anet
from sftdec.runtime import Precision, autocast, has_bf16
from sftdec.training import stage_loss

CPU = torch.device("cpu")
LOSS = LossParams(lambda_1=0.2, lambda_2=0.9, lambda_3=0.0)  # eq. 7
BATCHES = {"small": (8, 88), "paper": (1, 64)}  # crops and their side in px: plain steps of 0.3 and 1 s on two cores


@dataclass
class Variant:
    """A way to take training steps, and what has been measured of it."""

    name: str
    network: torch.nn.Module
    layout: torch.memory_format = torch.contiguous_format
    precision: Precision = "fp32"
    compiled: bool = False
    rate: float = 1e-4
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    average: AveragedModel | None = None  # its weights, averaged over steps
    untrained: Tensor | None = None  # its pictures of the first batch

    def __post_init__(self) -> None:
        self.network = self.network.to(memory_format=self.layout).train()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.rate, fused=True)
        self.call: Callable[[Tensor], Any] = torch.compile(self.network) if self.compiled else self.network

    def pictures(self, blurred: Tensor) -> Tensor:
        """Deblurred, N×3×S×S float32, computed as in training."""
        with autocast(CPU, self.precision):
            restored = self.call(blurred.contiguous(memory_format=self.layout))
        return restored.deblurred.detach().float()

    def step(self, batch: Crops, rate: float | None = None) -> None:
        """One step of the optimizer, timed."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate if rate is None else rate
        blurred, sharp, defocus = (each.contiguous(memory_format=self.layout) for each in batch)
        started = time.perf_counter()
        with autocast(CPU, self.precision):
            restored = self.call(blurred)
        total = stage_loss(restored.deblurred, restored.defocus, sharp, defocus, LOSS).total
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - started)
        self.losses.append(float(total.detach()))


def variants(config: NetworkConfig, with_compile: bool) -> list[Variant]:
    """Plain first, then each step of the engine on top of those before it; DID-ANet last."""
    network = build_network(config)

    def fresh() -> SFTDec:
        return copy.deepcopy(network)

    last = torch.channels_last
    found = [
        Variant("plain", fresh()),
        Variant("+ channels_last", fresh(), last),
        Variant("+ bf16", fresh(), last, "bf16"),
    ]
    if with_compile:
        found.append(Variant("+ torch.compile", fresh(), last, "bf16", compiled=True))
    return [*found, Variant("did_anet", build_did_anet(config))]


def compare(size: str, pictures: list[Scene], options: argparse.Namespace) -> pd.DataFrame:
    """A row a variant of the network ``size``."""
    steps = options.steps
    count, side = BATCHES[size] if options.crop is None else (1, options.crop)
    config = NetworkConfig.of_size(size, output_init=0.1)  # at 0 every fresh network returns its input
    rows, found = [], variants(config, not options.no_compile)
    found = [each for each in found if not options.only or each.name in options.only]
    first = random_crops(pictures, count, side, 0, steps)
    for each in found:
        started = time.perf_counter()
        each.untrained = each.pictures(first[0])
        each.step(first, rate=0.0)  # what is made or compiled at the first call
        print(f"{size}, {each.name}: first call {time.perf_counter() - started:.1f} s", flush=True)
        each.seconds, each.losses = [], []
    for step in range(steps):
        batch = random_crops(pictures, count, side, 0, step)
        for place in range(len(found)):  # each variant follows each other one in turn
            found[(place + step) % len(found)].step(batch)
    plain, peer = np.array(found[0].seconds), np.array(found[-1].seconds)
    for each in found:
        seconds = np.array(each.seconds)
        row = {"variant": each.name, "ms": 1000 * np.median(seconds), "ratio": np.median(plain / seconds)}
        row["to DID-ANet"] = np.median(seconds / peer)
        if each.name != "did_anet":
            row["output"] = float((each.untrained - found[0].untrained).abs().max())
            row["loss"] = each.losses[-1] - found[0].losses[-1]
        rows.append(row)
    print(f"{size}: batches of {count} crops of {side} px, {steps} steps, plain's last loss {found[0].losses[-1]:.5f}")
    return pd.DataFrame(rows).set_index("variant")


def psnr(variant: Variant, validation: Crops) -> float:
    """PSNR (dB) of all crops' pixels, clipped to 0..1; computed in fp32, so that weights are compared."""
    assert variant.average is not None
    network = variant.average.module.eval()
    with torch.inference_mode():
        made = torch.cat([network(part).deblurred for part in validation[0].split(8)]).clamp(0, 1)
    return float(-10 * (made - validation[1]).square().mean().log10())


def quality(pictures: list[Scene], validation: Crops, steps: int, seeds: list[int], rate: float) -> pd.DataFrame:
    """PSNR after training at ``small`` in fp32 and in bf16, a row a seed: warm-up, then a cosine to zero."""
    count, side = BATCHES["small"]
    rows = []
    for seed in seeds:
        network = build_network(NetworkConfig.of_size("small"), seed)
        trained = [
            Variant("fp32", copy.deepcopy(network), torch.channels_last),
            Variant("bf16", copy.deepcopy(network), torch.channels_last, "bf16"),
            Variant("fp32 contiguous", copy.deepcopy(network)),
        ]
        for each in trained:
            each.average = AveragedModel(each.network, multi_avg_fn=get_ema_multi_avg_fn(0.97))
        for step in range(steps):
            now = rate * min(1.0, (step + 1) / 20) * 0.5 * (1 + np.cos(np.pi * step / steps))
            batch = random_crops(pictures, count, side, seed, step)
            for each in trained:
                each.step(batch, now)
                each.average.update_parameters(each.network)
        rows.append({"seed": seed} | {each.name: psnr(each, validation) for each in trained})
        for name in ("bf16", "fp32 contiguous"):
            rows[-1][f"{name} - fp32"] = rows[-1][name] - rows[-1]["fp32"]
        print(f"quality, seed {seed}: {rows[-1]}", flush=True)
    return pd.DataFrame(rows).set_index("seed")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["small", "paper"], choices=sorted(BATCHES))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--quality-steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate of the quality's training")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=48, help="rendered for training")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--crop", type=int, help="one crop a step, of this side in px (the paper's: 256)")
    parser.add_argument("--only", nargs="*", default=[], help="variants: plain and did_anet among them, in their order")
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pictures = scenes(arguments.sample, "train", arguments.scenes)
    print(f"torch {torch.__version__}, {arguments.threads} threads, bf16 in hardware: {has_bf16(CPU)}", flush=True)
    for size in arguments.sizes:
        table = compare(size, pictures, arguments)
        print(f"{table.to_string(float_format='{:.3g}'.format, na_rep='')}\n", flush=True)
    if arguments.seeds and arguments.quality_steps:
        validation = all_crops(scenes(arguments.sample, "validation", 100), 96)
        table = quality(pictures, validation, arguments.quality_steps, arguments.seeds, arguments.rate)
        print(f"blurred: {-10 * (validation[0] - validation[1]).square().mean().log10():.3f} dB")
        print(f"{table.round(3).to_string()}\n{table.agg(['mean', 'std']).round(3).to_string()}")


if __name__ == "__main__":
    main()
