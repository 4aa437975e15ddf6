"""Figures of a network on pairs of real photos that nothing was trained on.

    python benchmarks/real_pairs.py FOLDER [--model M]

FOLDER holds ``input/*.png`` (blurred) and ``ground_truth/*.png``; an input belongs to the sharp picture whose name it
begins with (the layout of one LFDOF scene). Prints PSNR and SSIM of each, before and after, and their means.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from sftdec.evaluation import psnr, ssim, to_uint8
from sftdec.inference import deblur_array
from sftdec.photos import read_photo
from sftdec.registry import CHAMPION, load_model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=CHAMPION)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    network, device = load_model(arguments.model, arguments.device)
    rows = []
    for truth in sorted((arguments.folder / "ground_truth").glob("*.png")):
        sharp = read_photo(truth)
        for path in sorted((arguments.folder / "input").glob(f"{truth.stem}*.png")):
            blurred = read_photo(path)
            deblurred = to_uint8(deblur_array(network, blurred, device)[0])
            rows.append(
                {
                    "input": path.stem,
                    "psnr_blurred": psnr(blurred, sharp),
                    "psnr": psnr(deblurred, sharp),
                    "ssim_blurred": ssim(blurred, sharp),
                    "ssim": ssim(deblurred, sharp),
                }
            )
    table = pd.DataFrame(rows).set_index("input")
    table["gain"] = table["psnr"] - table["psnr_blurred"]
    print(table.round(4).to_string())
    print(table.mean().round(4).to_string(), f"improved  {np.mean(table['gain'] > 0):.2f}", sep="\n")


if __name__ == "__main__":
    main()
