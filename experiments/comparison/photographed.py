"""Measure the comparison's methods on real pairs, which stay where they are: → experiments/comparison/photographed.csv.

    python -m experiments.comparison.photographed NAME=FOLDER [NAME=FOLDER …] [--methods dpdnet sft_dec+deconvolution …]

FOLDER/input/ holds the blurred pictures and FOLDER/ground_truth/ the sharp ones; an input belongs to the picture with
whose name its own begins. Other layouts that `sftdec datasets` shows are read too. The weights are those in
build/comparison; figures that the file has of these very weights and pictures aren't measured again, and each method's
are written as soon as they are there. The first ones of changed pictures take the place of all that the file has of
their data set.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from sftdec.datasets import find_pairs, read_pairs
from sftdec.experiments import (
    BUDGET_TITLES,
    DECONVOLVED,
    ORACLE,
    TABLE_2,
    UNTRAINED,
    has_rows,
    measure_method,
    measure_network,
    named_rows,
    pairs_digest,
    read_photographed,
    trained_model,
    with_rows,
)
from sftdec.peers import load_network
from sftdec.runtime import atomic_path, checksum

BUILD, OUT = Path("build/comparison"), Path(__file__).with_name("photographed.csv")
METHODS = [method.judged for method in TABLE_2.methods if method.judged != ORACLE]  # which wants the true map


def to_measure(methods: list[str]) -> Iterator[tuple[str, str, Path | None]]:
    """Method, budget and weights of what can be measured: what learns nothing, and what is trained."""
    for method in methods:
        model = trained_model(method)
        if model is None:
            yield method, UNTRAINED, None
            continue
        for budget in BUDGET_TITLES:
            weights = BUILD / model / f"{budget}.safetensors"
            if weights.is_file():
                yield method, budget, weights
            else:
                print(f"{method}, {budget}: {weights} isn't there, left out")


def main() -> None:
    """Measure, one method after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    given = parser.parse_args()
    for name, _, folder in (pair.partition("=") for pair in given.pairs):
        pairs = find_pairs(Path(folder))
        photos, pictures = {pair.name: pair.photo for pair in pairs}, pairs_digest(pairs)
        for method, budget, weights in to_measure(given.methods):
            sha256 = "" if weights is None else checksum(weights)
            if has_rows(read_photographed(OUT), name, method, budget, sha256, pictures):
                continue
            scenes = read_pairs(name, pairs)
            if weights is None:
                table = measure_method(method, scenes)
            else:
                table = measure_network(load_network(weights), scenes, deconvolve=method.endswith(DECONVOLVED))
            measured = named_rows(table, photos, method, budget, sha256, pictures)
            rows = with_rows(read_photographed(OUT), measured)
            with atomic_path(OUT) as temporary:
                rows.to_csv(temporary, index=False, float_format="%.6f")
            print(f"{name}, {method}, {budget}: {table['psnr'].mean():.2f} dB on {len(table)} pictures")


if __name__ == "__main__":
    main()
