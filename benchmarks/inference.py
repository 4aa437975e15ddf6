"""What a picture costs on a CPU with every runtime, as times that PyTorch fp32 takes, and how near each comes to it.

    python benchmarks/inference.py [--crop 256] [--rounds 5] [--sizes builtin paper] [--threads N]   # extra: export
                                   [--processor]

A table a size: the model that ships, or one with random weights, as ``sftdec deblur --runtime`` computes a picture in
one tile; PSNR is that to PyTorch fp32's output. In each round every row is run once, one after the other, so that a
machine that is disturbed for a while disturbs all of them; a figure is the median over rounds, with ``--processor`` of
the processor's seconds, of all threads together. Loading, compiling and a first run, in which memory is taken, are left
out.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sftdec.builtin import builtin_weights
from sftdec.inference import Engine
from sftdec.networks import SFTDec, build_network, save_weights
from sftdec.params import SIZES, NetworkConfig
from sftdec.runtime import Precision, has_bf16

Run = Callable[[], NDArray[np.float32]]


def by_runtime(weights: Path, name: str, precision: Precision, image: NDArray[np.float32]) -> Run:
    """A run as ``sftdec deblur`` computes H×W×3, in one tile."""
    engine = Engine.of_file(weights, device="cpu", runtime=name, precision=precision, tile=max(image.shape))
    return lambda: engine(image).image


def stirred(config: NetworkConfig) -> SFTDec:
    """A network with random weights that changes pictures."""
    network = build_network(config).eval()
    with torch.no_grad():
        network.deblurring.last.weight.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    return network


def measure(
    runs: dict[str, Run], rounds: int, clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, NDArray[np.float32]]]:
    """Median seconds of each, and what each gave in its first run."""
    outputs = {name: run() for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begun = clock()
            run()
            seconds[name].append(clock() - begun)
    return {name: statistics.median(found) for name, found in seconds.items()}, outputs


def psnr(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Of pictures clipped to 0..1, in dB; infinite where they are equal."""
    error = float(np.mean(np.square(np.clip(found, 0, 1) - np.clip(expected, 0, 1), dtype=np.float64)))
    return -10 * float(np.log10(error)) if error else float("inf")


def compare_runtimes(weights: Path, crop: int, rounds: int, clock: Callable[[], float]) -> pd.DataFrame:
    """A row a runtime and precision."""
    image = np.random.default_rng(0).random((crop, crop, 3), np.float32)
    precisions: list[Precision] = ["fp32", "bf16"] if has_bf16(torch.device("cpu")) else ["fp32"]
    runs = {
        f"{name} {precision}": by_runtime(weights, name, precision, image)
        for precision in precisions
        for name in ("torch", "openvino", "onnxruntime")
        if (name, precision) != ("onnxruntime", "bf16")
    }
    seconds, outputs = measure(runs, rounds, clock)
    unit = next(iter(runs))
    return pd.DataFrame(
        {
            "seconds": seconds,
            "times as fast": {name: seconds[unit] / found for name, found in seconds.items()},
            "PSNR": {name: psnr(output, outputs[unit]) for name, output in outputs.items()},
        }
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--crop", type=int, default=256, metavar="PX", help="side of the picture (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--sizes", nargs="+", default=["builtin", "paper"], choices=["builtin", *sorted(SIZES)])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    parser.add_argument("--processor", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.processor else time.perf_counter
    print(f"{given.threads} threads, median of {given.rounds}")
    for size in given.sizes:
        with TemporaryDirectory() as folder:
            weights = builtin_weights() if size == "builtin" else Path(folder) / "stirred.safetensors"
            if size != "builtin":
                save_weights(stirred(NetworkConfig.of_size(size)), weights)
            table = compare_runtimes(weights, given.crop, given.rounds, clock)
            print(f"\nSFT-Dec {size}, {given.crop}² px\n{table.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main()
