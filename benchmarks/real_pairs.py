"""Figures of a network on pairs of real photos that nothing was trained on.

    python benchmarks/real_pairs.py FOLDER [--model M]

FOLDER holds ``input/`` (blurred) and ``ground_truth/``, or pairs in another layout that `sftdec datasets` shows. Prints
PSNR and SSIM of each, before and after, and their means.
"""

import argparse
from pathlib import Path

import numpy as np

from sftdec.datasets import find_pairs, read_pairs
from sftdec.evaluation import evaluate_network
from sftdec.registry import CHAMPION, load_model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=CHAMPION)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    network, device = load_model(arguments.model, arguments.device)
    scenes = read_pairs("pairs", find_pairs(arguments.folder))
    table = evaluate_network(network, scenes, device).set_index("scene")
    table = table[["psnr_blurred", "psnr", "ssim_blurred", "ssim"]]
    table.index = table.index.str.removeprefix("pairs/").rename("input")
    table["gain"] = table["psnr"] - table["psnr_blurred"]
    print(table.round(4).to_string())
    print(table.mean().round(4).to_string(), f"improved  {np.mean(table['gain'] > 0):.2f}", sep="\n")


if __name__ == "__main__":
    main()
