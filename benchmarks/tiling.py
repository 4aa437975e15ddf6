"""Memory and time of deblurring by tiles, against the whole picture at once.

    python benchmarks/tiling.py [--sizes paper small] [--megapixels 12 50] [--whole 0.5] [--precisions bf16 fp32]
                                [--memory GIB] [--tile PX] [--rounds 3] [--threads N]

Weights are fresh: they cost what trained ones do. A row for each size and precision, and each number of megapixels:

- ``tile``: side of the tiles, px, and how many; ``predicted``: the memory they were chosen by.
- ``peak``: the largest resident memory (ru_maxrss) of a process of its own that deblurs such a picture, GiB.
- ``s/MP``: seconds a megapixel of a call, median over rounds; ``whole s/MP``: of the network in one piece, as
  channels-last, on a picture of ``--whole`` megapixels that fits into memory.
- ``ratio``: the median over rounds of the one by the other, measured one after the other in each round, so that what
  else the machine does meanwhile falls on both.
- ``difference``: the largest one between tiles and one piece, on the smaller picture with tiles of a third of its side,
  clipped to 0..1 as pictures are.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from sftdec.deblurrer import Deblurrer
from sftdec.inference import GIB, TorchRuntime, choose_tile, predict_bytes, tile_boxes
from sftdec.networks import SFTDec, build_network
from sftdec.params import NetworkConfig
from sftdec.runtime import autocast

CPU = torch.device("cpu")


def photo(megapixels: float) -> np.ndarray:
    """Noise of 3 by 2."""
    height = max(16, round((megapixels * 1e6 / 1.5) ** 0.5))
    return np.random.default_rng(0).integers(0, 256, (height, height * 3 // 2, 3), np.uint8)


def built(size: str) -> SFTDec:
    """A network that changes pictures."""
    network = build_network(NetworkConfig.of_size(size, output_init=0.1)).eval()
    return network.to(memory_format=torch.channels_last)


def megapixels_of(image: np.ndarray) -> float:
    """How many there are, 1e6 px each."""
    return image.shape[0] * image.shape[1] / 1e6


def in_one_piece(network: SFTDec, image: np.ndarray, precision: str) -> np.ndarray:
    """The deblurred picture H×W×3, float32 in 0..1, of the network itself."""
    with torch.inference_mode(), autocast(CPU, precision):
        blurred = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
        return network(blurred).deblurred[0].float().clamp(0, 1).permute(1, 2, 0).numpy()


def measure(options: argparse.Namespace) -> dict[str, float | str]:
    """One row, in a process of its own: the tiled picture first, so that the peak is its."""
    torch.set_num_threads(options.threads)
    network = built(options.size)
    runtime = TorchRuntime(network, CPU, options.precision)
    image = photo(options.megapixels)
    tile = options.tile or choose_tile(runtime, image, options.memory)
    deblurrer = Deblurrer(runtime, tile)
    began = time.perf_counter()
    with tqdm(desc=f"{options.size}, {options.megapixels:g} MP", unit="tile", mininterval=5) as bar:
        deblurrer(image, lambda done, total: _advance(bar, done, total))
    tiled = [(time.perf_counter() - began) / megapixels_of(image)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
    small, pieces, ratios = photo(options.whole), [], []
    for number in range(options.rounds):
        if number:
            began = time.perf_counter()
            deblurrer(image)
            tiled.append((time.perf_counter() - began) / megapixels_of(image))
        began = time.perf_counter()
        in_one_piece(network, small, options.precision)
        pieces.append((time.perf_counter() - began) / megapixels_of(small))
        ratios.append(tiled[-1] / pieces[-1])
    values = (small / 255).astype(np.float32)
    found = Deblurrer(runtime, max(1, small.shape[0] // 3))(values).image
    stem = runtime.reach.stem
    return {
        "size": options.size,
        "precision": options.precision,
        "MP": megapixels_of(image),
        "tile": tile,
        "tiles": len(tile_boxes(-(-image.shape[0] // stem), -(-image.shape[1] // stem), tile // stem)),
        "predicted GiB": predict_bytes(runtime, image, tile) / GIB,
        "peak GiB": peak,
        "s/MP": statistics.median(tiled),
        "whole s/MP": statistics.median(pieces),
        "ratio": statistics.median(ratios),
        "difference": float(np.abs(found - in_one_piece(network, small, options.precision)).max()),
    }


def _advance(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["small", "paper"])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--megapixels", nargs="+", type=float, default=[1.0])
    parser.add_argument("--whole", type=float, default=0.5)
    parser.add_argument("--memory", type=float)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--row", help=argparse.SUPPRESS)  # what a child process measures
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(argparse.Namespace(**(vars(options) | json.loads(options.row))))))
        return
    rows = []
    for size in options.sizes:
        for precision in options.precisions:
            for megapixels in options.megapixels:
                row = json.dumps({"size": size, "precision": precision, "megapixels": megapixels})
                child = subprocess.run(
                    [sys.executable, __file__, *sys.argv[1:], "--row", row], stdout=subprocess.PIPE, check=True
                )
                rows.append(json.loads(child.stdout))
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
