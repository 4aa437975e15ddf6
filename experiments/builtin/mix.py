"""The mean of two trainings' weights, where the one went on from the other.

    python -m experiments.builtin.mix FROM TO --share 0.5 --out WEIGHTS

Between weights and what further training made of them lie models that keep most of what each is better at (Wortsman et
al., *Robust fine-tuning of zero-shot models*, CVPR 2022). ``--share``: of TO, 0 to 1.
"""

import argparse
from pathlib import Path

import torch

from sftdec.networks import SFTDec, load_weights, save_weights
from sftdec.runtime import DataError


def mix(before: SFTDec, after: SFTDec, share: float) -> SFTDec:
    """``before``, its weights moved by ``share`` of the way to those of ``after``.

    Raises:
        DataError: networks of two shapes, or a share outside 0..1.
    """
    if before.config != after.config:
        raise DataError(f"found networks of two shapes, {before.config} and {after.config}; mix two of one shape")
    if not 0 <= share <= 1:
        raise DataError(f"--share: found {share}, expected 0 to 1")
    with torch.no_grad():
        for mine, other in zip(before.parameters(), after.parameters(), strict=True):
            mine.lerp_(other, share)
    return before


def main() -> None:
    """Read two files, write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, metavar="FROM")
    parser.add_argument("after", type=Path, metavar="TO")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    save_weights(mix(load_weights(given.before), load_weights(given.after), given.share), given.out)


if __name__ == "__main__":
    main()
