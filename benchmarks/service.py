"""What a served model's memory does over many requests, good ones among bad ones.

    python -m benchmarks.service [--requests 200] [--rounds 5] [--weights FILE] [--environment NAME=VALUE ...]

Registers the weights (left out: a tiny network) in a store of its own, starts `mlflow models serve`, and sends in each
round that many good requests among as many bad ones, by four clients at once. Each good answer is compared with what
`Deblurrer` gives in this process, each bad one with the status and words that it has to have. Prints a line a round:
answers that were right, and the serving process's resident memory.
"""

import argparse
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="good ones a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="a weights file (default: a tiny network's)")
    parser.add_argument("--environment", nargs="*", default=[], metavar="NAME=VALUE", help="for the server")
    arguments = parser.parse_args()
    from tests.services.served import serving

    environment = dict(pair.split("=", 1) for pair in arguments.environment)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = arguments.weights or tiny_weights(root / "tiny.safetensors")
        with serving(weights.resolve(), root, **environment) as served:
            print_rounds(served, weights, arguments.requests, arguments.rounds)


def tiny_weights(path: Path) -> Path:
    """Random weights of a tiny network."""
    from sftdec.networks import build_network, save_weights
    from sftdec.params import NetworkConfig

    tiny = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}
    save_weights(build_network(NetworkConfig.of_size("small", **tiny)), path)
    return path


def print_rounds(served, weights: Path, count: int, rounds: int) -> None:
    """Send the rounds and print the table."""
    from tests.services.served import Good, good_requests, mixed

    requests = mixed(good_requests(weights, 16), count)
    good = [isinstance(request, Good) for request in requests]
    print(f"{'round':>5} {'good right':>12} {'bad refused':>12} {'seconds':>8} {'resident MiB':>13}")
    print(f"{'start':>5} {'':>12} {'':>12} {'':>8} {served.memory() / 2**20:>13.1f}", flush=True)
    for number in range(1, rounds + 1):
        started = time.monotonic()
        right = served.all_right(requests)
        taken = time.monotonic() - started
        answered = sum(fine for fine, kind in zip(right, good, strict=True) if kind)
        refused = sum(fine for fine, kind in zip(right, good, strict=True) if not kind)
        shares = f"{answered:>6} of {sum(good)} {refused:>6} of {len(good) - sum(good)}"
        print(f"{number:>5}  {shares} {taken:>8.1f} {served.memory() / 2**20:>13.1f}", flush=True)


if __name__ == "__main__":
    main()
