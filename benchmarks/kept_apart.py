"""Photos that no training recipe has seen, and the models that are compared on them."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize

from sftdec.builtin import builtin_weights
from sftdec.datasets import RECIPES, read_recipes
from sftdec.datasets.photos import recipe_photo
from sftdec.inference import Engine, TorchRuntime
from sftdec.networks import SFTDec, load_weights
from sftdec.optics import linear_to_srgb, srgb_to_linear, to_8bit

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / RECIPES
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}

Picture = NDArray[np.uint8]


def parser(doc: str | None) -> ArgumentParser:
    """The options that all benchmarks on such photos have."""
    made = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    made.add_argument("weights", type=Path, nargs="*", help="files to set beside the shipped model")
    made.add_argument("--photos", type=Path, metavar="FOLDER", help="other photos, halved as well")
    made.add_argument("--count", type=int, help="of the photos, so many")
    made.add_argument("--side", type=int, default=512, help="px, of the piece from the middle at most")
    made.add_argument("--alone", action="store_true", help="what the networks give at one scale, in focus too, as well")
    return made


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise FileNotFoundError(
            f"{folder}: found no picture; expected {', '.join(sorted(PICTURES))}; name another folder"
        )
    return found


def middle(photo: Picture, side: int) -> Picture:
    """The piece of at most ``side`` px each way around the middle."""
    top, left = (max(0, (length - side) // 2) for length in photo.shape[:2])
    return np.ascontiguousarray(photo[top : top + side, left : left + side])


def halved(photo: Picture) -> Picture:
    """A photo at half its size, shrunk in light: in focus wherever its blur at full size was up to a pixel."""
    light = srgb_to_linear(photo / np.float32(255))
    return to_8bit(
        linear_to_srgb(resize(light, (photo.shape[0] // 2, photo.shape[1] // 2), order=1, anti_aliasing=True))
    )


def photos(given: Namespace, prepare: Callable[[Picture], Picture] = halved) -> dict[str, Picture]:
    """Photos by name, prepared: of the folder, or the wheels' that the sample's recipes test and validate with."""
    if given.photos:
        sources = {path.stem: str(path) for path in pictures(given.photos)}
    else:
        kept = [recipe for recipe in read_recipes(SAMPLE) if recipe.split != "train"]
        sources = {name: name for recipe in kept for name in recipe.photos}
    chosen = list(sources.items())[: given.count]
    return {name: middle(prepare(recipe_photo(source)), given.side) for name, source in chosen}


def models(given: Namespace) -> dict[str, SFTDec]:
    """The shipped model and the ones that are given, by name."""
    files = {"shipped": builtin_weights()} | {path.stem: path for path in given.weights}
    return {name: load_weights(path).eval() for name, path in files.items()}


def engines(given: Namespace) -> dict[str, Engine]:
    """Those models as ``sftdec deblur`` takes them, on the CPU and in fp32."""
    made = {}
    for name, network in models(given).items():
        runtime = TorchRuntime(network, torch.device("cpu"), "fp32")
        made[name] = Engine(runtime)
        if given.alone:
            made[f"{name}, alone"] = Engine(runtime, max_blur=0, everywhere=True)
    return made


def deblurred(engine: Engine, photo: Picture) -> tuple[Picture, NDArray[np.float32]]:
    """What a model makes of a photo, and its map in px of sigma."""
    picture, defocus = engine(photo)
    return picture, defocus * np.float32(engine.sigma_max)


def table(titles: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, ["---"] * len(titles), *rows])
