"""Time and memory of deblurring by tiles, against what its convolutions alone would take.

    python benchmarks/tiling.py [--sizes builtin paper] [--megapixels 2 12] [--precisions bf16 fp32] [--processor]
                                [--memory GIB] [--tile PX] [--rounds 3] [--threads N]

A size is ``builtin``, the model that ships, or a network with fresh weights, which cost what trained ones do. A row for
each size and precision, and each number of megapixels, each of a process of its own:

- ``tile``: side of the tiles, px, and how many; ``predicted``: the memory they were chosen by.
- ``peak``: the largest resident memory (ru_maxrss) of the process that deblurs such a picture, GiB.
- ``loading``: seconds from the weights file to an engine, PyTorch being there.
- ``s``: of a picture, median over rounds; ``convolutions s``: their multiply-adds, each pixel counted once, at the
  rate of this machine's product of two matrices of 2048² in that precision, measured before and after each picture.
- ``ratio``: the median over rounds of the one by the other, so that what else the machine does falls on both. With
  ``--processor``, for busy machines, the seconds are those of the processor, of all threads together.
- ``difference``: the largest one between tiles and one piece, on a picture of 0.2 megapixels with tiles of a third of
  its side, clipped to 0..1 as pictures are.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from sftdec.builtin import builtin_weights
from sftdec.inference import GIB, Engine, choose_tile, predict_bytes, tile_boxes
from sftdec.networks import SFTDec, build_network, load_weights, save_weights
from sftdec.params import NetworkConfig
from sftdec.runtime import autocast

CPU = torch.device("cpu")
SIDE = 2048  # of the matrices


def photo(megapixels: float) -> np.ndarray:
    """Noise of 3 by 2."""
    height = max(16, round((megapixels * 1e6 / 1.5) ** 0.5))
    return np.random.default_rng(0).integers(0, 256, (height, height * 3 // 2, 3), np.uint8)


def weights_of(size: str, folder: Path) -> Path:
    """The file of the model that ships, or of a network that changes pictures."""
    if size == "builtin":
        return builtin_weights()
    save_weights(build_network(NetworkConfig.of_size(size, output_init=0.1)), folder / "fresh.safetensors")
    return folder / "fresh.safetensors"


def multiply_adds(network: SFTDec) -> float:
    """Of all convolutions, for each pixel of a picture; those of the mean, of one pixel, left out."""
    weights = (
        module.weight.numel()
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d) and not name.endswith(("squeeze", "excite"))
    )
    return sum(weights) / network.config.stem**2


class MatrixRate:
    """Multiply-adds a second of a product of two matrices, over the last two times it was computed."""

    def __init__(self, precision: str, clock: Callable[[], float]) -> None:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.left, self.right = torch.randn(2, SIDE, SIDE).to(dtype)
        self.made, self.clock = torch.empty_like(self.left), clock
        self.seconds = [self._multiply() for _ in range(3)]

    def measured(self) -> float:
        """The rate between the measurement before and one now."""
        self.seconds.append(self._multiply())
        return SIDE**3 / statistics.mean(self.seconds[-2:])

    def _multiply(self) -> float:
        began = self.clock()
        torch.mm(self.left, self.right, out=self.made)
        return self.clock() - began


def in_one_piece(network: SFTDec, image: np.ndarray, precision: str) -> np.ndarray:
    """The deblurred picture H×W×3, float32 in 0..1, of the network itself."""
    with torch.inference_mode(), autocast(CPU, precision):
        blurred = torch.from_numpy(image).permute(2, 0, 1)[None]
        return network(blurred).deblurred[0].float().clamp(0, 1).permute(1, 2, 0).numpy()


def measure(options: argparse.Namespace) -> dict[str, float | str]:
    """One row, in a process of its own: the picture first, so that the peak is its."""
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.processor else time.perf_counter
    with TemporaryDirectory() as folder:
        path = weights_of(options.size, Path(folder))
        network = load_weights(path)
        began = clock()
        engine = Engine.of_file(path, device="cpu", runtime="torch", precision=options.precision, memory=options.memory)
        loading = clock() - began
        image, small = photo(options.megapixels), (photo(0.2) / 255).astype(np.float32)
        tile = options.tile or choose_tile(engine.runtime, image, options.memory)
        engine = Engine(engine.runtime, tile)
        with tqdm(desc=f"{options.size}, {options.megapixels:g} MP", unit="tile", mininterval=5) as bar:
            engine(image, lambda done, total: _advance(bar, done, total))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
        work, rate = multiply_adds(network) * image.shape[0] * image.shape[1], MatrixRate(options.precision, clock)
        seconds, convolutions = [], []
        for _ in range(options.rounds):
            began = clock()
            engine(image)
            seconds.append(clock() - began)
            convolutions.append(work / rate.measured())
        found = Engine(engine.runtime, max(1, small.shape[0] // 3))(small).image
        stem = engine.runtime.reach.stem
        return {
            "size": options.size,
            "precision": options.precision,
            "MP": image.shape[0] * image.shape[1] / 1e6,
            "tile": tile,
            "tiles": len(tile_boxes(-(-image.shape[0] // stem), -(-image.shape[1] // stem), tile // stem)),
            "predicted GiB": predict_bytes(engine.runtime, image, tile) / GIB,
            "peak GiB": peak,
            "loading s": loading,
            "s": statistics.median(seconds),
            "convolutions s": statistics.median(convolutions),
            "ratio": statistics.median(whole / alone for whole, alone in zip(seconds, convolutions, strict=True)),
            "difference": float(np.abs(found - in_one_piece(network, small, options.precision)).max()),
        }


def _advance(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["builtin"])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--megapixels", nargs="+", type=float, default=[2.0, 12.0])
    parser.add_argument("--processor", action="store_true")
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
