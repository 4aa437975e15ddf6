"""What the tool gains on photographed pairs: `sftdec deblur`'s result against the sharp photo, in dB of PSNR.

    python benchmarks/pairs.py FOLDER [WEIGHTS …] [--alone]

FOLDER holds pairs in any layout that ``sftdec datasets`` shows, such as ``input/`` and ``ground_truth/``, or scenes
that were fetched, such as build/scenes, of which the test's are taken. Printed are the blurred photo's PSNR and each
model's gain, a row a pair, then mean and worst. ``--alone`` adds what the networks give by themselves, which is what
``sftdec evaluate --pairs`` measures. A megapixel takes some seconds a model.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from kept_apart import Picture, deblurred, engines, table

from sftdec.datasets import INDEX, find_pairs, load_scenes
from sftdec.datasets.light import read_pair_levels
from sftdec.evaluation import psnr


def pairs_of(folder: Path) -> Iterator[tuple[str, Picture, Picture]]:
    """The name of each pair, the blurred photo and the sharp one."""
    if (folder / INDEX).is_file():
        yield from ((scene.name, scene.blurred, scene.sharp) for scene in load_scenes(folder, "test"))
    else:
        yield from ((pair.name, *read_pair_levels(pair.blurred, pair.sharp)) for pair in find_pairs(folder))


def main() -> None:
    """Measure and print."""
    options = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="where the pairs are")
    options.add_argument("weights", type=Path, nargs="*", help="files to set beside the shipped model")
    options.add_argument("--alone", action="store_true", help="the networks by themselves as well")
    given = options.parse_args()
    models, gains, rows = engines(given), [], []
    for pair, blurred, sharp in pairs_of(given.folder):
        before = psnr(blurred, sharp)
        gains.append([psnr(deblurred(engine, blurred)[0], sharp) - before for engine in models.values()])
        rows.append([pair, f"{before:.2f}", *(f"{gain:+.2f}" for gain in gains[-1])])
    for name, over in (("mean", np.mean), ("worst", np.min)):
        rows.append([f"**{name}**", "", *(f"{gain:+.2f}" for gain in over(gains, axis=0))])
    print(table(["pair", "blurred, dB", *models], rows))


if __name__ == "__main__":
    main()
