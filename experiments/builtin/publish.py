"""Put a trained model into the package: the weights, and a model card with figures that are measured here.

    python -m experiments.builtin.publish WEIGHTS [--scenes FOLDER] [--pairs NAME=FOLDER …]

``legs.csv`` says how weights came about, a row a training, each from the weights of the one before. ``--scenes`` has
the sample's test scenes. ``--pairs``: real photos, FOLDER/input/ (blurred) and FOLDER/ground_truth/, or in another
layout that `sftdec datasets` shows.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.builtin.photos import read_table
from sftdec.builtin import builtin_weights
from sftdec.datasets import find_pairs, load_scenes, read_pairs
from sftdec.evaluation import evaluate_network
from sftdec.networks import load_weights, save_weights
from sftdec.runtime import DataError, atomic_path, checksum

HERE = Path(__file__).parent
LEGS = "legs.csv"
LIMIT = 4_000_000  # bytes


def figures(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A data set's line of the card."""
    line: dict[str, Any] = {"name": name, "images": len(table), "mae": None, "mae_constant": None}
    line["improved"] = int((table["psnr"] > table["psnr_blurred"]).sum())
    return line | {str(column): float(value) for column, value in table.mean(numeric_only=True).items()}


def legs_to(weights: Path) -> list[dict[str, str]]:
    """The trainings that led to these weights.

    Raises:
        DataError: none that is written down gave them, or the file is too large for the package.
    """
    digest, size = checksum(weights), weights.stat().st_size
    if size > LIMIT:
        raise DataError(f"{weights}: found {size} bytes, expected at most {LIMIT}; train a smaller network")
    legs: list[dict[str, str]] = []
    for leg in read_table(LEGS):
        legs.append(leg)
        if digest.startswith(leg["sha256"]):
            return legs
    raise DataError(
        f"experiments/builtin/{LEGS}: found no leg that gave {digest[:16]}, the SHA-256 of {weights}; "
        "add how it came about"
    )


def card(network: Any, lines: list[dict[str, Any]], legs: list[dict[str, str]]) -> str:
    """The model card."""
    environment = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, keep_trailing_newline=True)
    config = network.config
    return environment.get_template("card.md.jinja").render(
        features=config.features,
        blocks=config.blocks,
        parameters=f"{sum(each.numel() for each in network.parameters()):,}",
        kilobytes=f"{builtin_weights().stat().st_size / 1000:,.0f}",
        sigma_max=f"{config.sigma_max:g}",
        radius=f"{2 * config.sigma_max:g}",
        figures=lines,
        legs=legs,
        sha256=checksum(builtin_weights()),
        photos=read_table("photos.csv"),
        kept={name for row in read_table("camera.csv") if row["split"] != "train" for name in row["photo"].split("|")},
    )


def main() -> None:
    """Measure, then write weights and card into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, metavar="WEIGHTS")
    parser.add_argument("--scenes", type=Path, default=Path("build/scenes"))
    parser.add_argument("--pairs", nargs="*", default=[], metavar="NAME=FOLDER")
    given = parser.parse_args()
    legs, network = legs_to(given.weights), load_weights(given.weights)
    lines = [figures("sample", evaluate_network(network, load_scenes(given.scenes, "test", "sample")))]
    for pair in given.pairs:
        name, _, folder = pair.partition("=")
        table = evaluate_network(network, read_pairs(name, find_pairs(Path(folder))))
        lines.append(figures(f"{name} (pairs)", table[["psnr", "psnr_blurred", "ssim", "ssim_blurred"]]))
    save_weights(network, builtin_weights())
    written = card(network, lines, legs)
    with atomic_path(builtin_weights().with_name("MODEL_CARD.md")) as temporary:
        temporary.write_text(written, "utf-8")
    print(written)


if __name__ == "__main__":
    main()
