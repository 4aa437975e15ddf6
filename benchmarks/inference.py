"""What a picture costs on a CPU with every runtime, as times that PyTorch fp32 takes, and how near each comes to it.

    python benchmarks/inference.py [--crop 256] [--rounds 5] [--sizes small paper] [--threads N]   # extra: export

Two tables a size, both of networks with random weights, whose output is of the picture's own order. The first: SFT-Dec
on a crop as a whole; PSNR is that to PyTorch fp32's output. The second: DID-ANet with as many features and blocks,
under PyTorch in both precisions, in units of SFT-Dec's time under the same. In each round every row is run once, one
after the other, so that a machine that is disturbed for a while disturbs all of them; a figure is the median over
rounds. Loading, compiling and a first run, in which memory is taken, are left out.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import openvino
import pandas as pd
import torch
from numpy.typing import NDArray

from sftdec.inference import onnx_model
from sftdec.networks import MapGuided, SFTDec, build_network
from sftdec.params import SIZES, NetworkConfig
from sftdec.peers import build_did_anet
from sftdec.runtime import Precision, autocast, has_bf16

Run = Callable[[], NDArray[np.float32]]
UNIT = "PyTorch fp32"
BF16 = "PyTorch bf16, channels last"


def by_pytorch(network: MapGuided, image: torch.Tensor, precision: Precision) -> Run:
    """A run with contiguous tensors in fp32, channels-last ones in bf16."""
    layout = torch.channels_last if precision == "bf16" else torch.contiguous_format
    network, image = network.to(memory_format=layout), image.contiguous(memory_format=layout)

    def run() -> NDArray[np.float32]:
        with torch.inference_mode(), autocast(image.device, precision):
            return network(image).deblurred.float().numpy()

    return run


def by_onnxruntime(content: bytes, image: NDArray[np.float32], threads: int) -> Run:
    """A run of an ONNX file's content."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["deblurred"], {"image": image})[0]


def by_openvino(content: bytes, image: NDArray[np.float32], threads: int, precision: str) -> Run:
    """A run of an ONNX file's content, with dynamic sides as it comes."""
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(content), "CPU", settings).create_infer_request()

    def run() -> NDArray[np.float32]:
        request.infer({"image": image})
        return np.array(request.get_tensor("deblurred").data, np.float32)

    return run


def stirred(config: NetworkConfig) -> SFTDec:
    """A network with random weights that changes pictures."""
    network = build_network(config).eval()
    with torch.no_grad():
        network.deblurring.last.weight.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    return network


def measure(runs: dict[str, Run], rounds: int) -> tuple[dict[str, float], dict[str, NDArray[np.float32]]]:
    """Median seconds of each, and what each gave in its first run."""
    outputs = {name: run() for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(found) for name, found in seconds.items()}, outputs


def psnr(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Of pictures clipped to 0..1, in dB; infinite where they are equal."""
    error = float(np.mean(np.square(np.clip(found, 0, 1) - np.clip(expected, 0, 1), dtype=np.float64)))
    return -10 * float(np.log10(error)) if error else float("inf")


def compare(size: str, crop: int, rounds: int, threads: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of runtimes and of networks."""
    config = NetworkConfig.of_size(size)
    image = torch.rand(1, 3, crop, crop, generator=torch.Generator().manual_seed(0))
    array, content = image.numpy(), onnx_model(stirred(config)).proto.SerializeToString()
    halves = has_bf16(image.device)
    runs = {UNIT: by_pytorch(stirred(config), image, "fp32")}
    peers = {UNIT: by_pytorch(build_did_anet(config).eval(), image, "fp32")}
    if halves:
        runs[BF16] = by_pytorch(stirred(config), image, "bf16")
        peers[BF16] = by_pytorch(build_did_anet(config).eval(), image, "bf16")
    runs["onnxruntime fp32"] = by_onnxruntime(content, array, threads)
    runs["OpenVINO fp32"] = by_openvino(content, array, threads, "f32")
    if halves:
        runs["OpenVINO bf16"] = by_openvino(content, array, threads, "bf16")
    together = runs | {f"DID-ANet {name}": run for name, run in peers.items()}
    seconds, outputs = measure(together, rounds)
    runtimes = pd.DataFrame(
        {
            "seconds": [seconds[name] for name in runs],
            "times as fast": [seconds[UNIT] / seconds[name] for name in runs],
            "PSNR": [psnr(outputs[name], outputs[UNIT]) for name in runs],
        },
        index=pd.Index(runs, name=f"SFT-Dec {size}, {crop}² px"),
    )
    networks = pd.DataFrame(
        {
            "SFT-Dec s": [seconds[name] for name in peers],
            "DID-ANet s": [seconds[f"DID-ANet {name}"] for name in peers],
            "DID-ANet / SFT-Dec": [seconds[f"DID-ANet {name}"] / seconds[name] for name in peers],
        },
        index=pd.Index(peers, name=f"{size}, {crop}² px"),
    )
    return runtimes, networks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--crop", type=int, default=256, metavar="PX", help="side of the picture (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--sizes", nargs="+", default=["small", "paper"], choices=sorted(SIZES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{given.threads} threads, median of {given.rounds}")
    for size in given.sizes:
        for table in compare(size, given.crop, given.rounds, given.threads):
            print(f"\n{table.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main()
