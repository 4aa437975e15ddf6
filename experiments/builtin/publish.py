"""Put a trained model into the package: the weights, and a model card with figures that are measured here.

    python -m experiments.builtin.publish [--pairs NAME=FOLDER …]

Run in the checkout that trained it (params.builtin.yaml as params.yaml, then ``dvc repro evaluate``). ``--pairs``: real
photos, FOLDER/input/ (blurred) and FOLDER/ground_truth/, or in another layout that `sftdec datasets` shows.
"""

import argparse
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.builtin.photos import read_table
from sftdec.builtin import builtin_weights
from sftdec.datasets import find_pairs, load_scenes, read_index, read_pairs
from sftdec.evaluation import evaluate_network
from sftdec.networks import load_weights, save_weights
from sftdec.params import load_params
from sftdec.runtime import atomic_path

HERE = Path(__file__).parent
WEIGHTS, SCENES = Path("build/models/s3.safetensors"), Path("build/scenes")
LIMIT = 4_000_000  # bytes


def figures(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A data set's line of the card."""
    line: dict[str, Any] = {"name": name, "images": len(table), "mae": None, "mae_constant": None}
    line["improved"] = int((table["psnr"] > table["psnr_blurred"]).sum())
    return line | {str(column): float(value) for column, value in table.mean(numeric_only=True).items()}


def main() -> None:
    """Measure, then write weights and card into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="*", default=[], metavar="NAME=FOLDER")
    given = parser.parse_args()
    params, network = load_params(Path("params.yaml")), load_weights(WEIGHTS)
    lines = [figures("sample", evaluate_network(network, load_scenes(SCENES, "test", "sample")))]
    for pair in given.pairs:
        name, _, folder = pair.partition("=")
        table = evaluate_network(network, read_pairs(name, find_pairs(Path(folder))))
        lines.append(figures(f"{name} (pairs)", table[["psnr", "psnr_blurred", "ssim", "ssim_blurred"]]))
    save_weights(network, builtin_weights())
    size = builtin_weights().stat().st_size
    if size > LIMIT:
        raise ValueError(f"{builtin_weights()}: {size} bytes, expected at most {LIMIT}; train a smaller network")
    train, config = params.train, network.config
    environment = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, keep_trailing_newline=True)
    card = environment.get_template("card.md.jinja").render(
        features=config.features,
        blocks=config.blocks,
        parameters=f"{sum(each.numel() for each in network.parameters()):,}",
        kilobytes=f"{size / 1000:,.0f}",
        sigma_max=f"{config.sigma_max:g}",
        radius=f"{2 * config.sigma_max:g}",
        figures=lines,
        steps=", ".join(f"{stage.steps:,}" for stage in (train.s1, train.s2, train.s3) if stage.steps),
        batch=train.common.batch_size,
        crop=train.common.crop,
        scenes=f"{(read_index(SCENES)['split'] == 'train').sum():,}",
        commit=subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        sha256=hashlib.sha256(builtin_weights().read_bytes()).hexdigest(),
        initial=train.s1.initial,
        photos=read_table("photos.csv"),
        kept={name for row in read_table("camera.csv") if row["split"] != "train" for name in row["photo"].split("|")},
    )
    with atomic_path(builtin_weights().with_name("MODEL_CARD.md")) as temporary:
        temporary.write_text(card, "utf-8")
    print(card)


if __name__ == "__main__":
    main()
