"""Small photos and a training index for the tests of drift."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from sftdec.datasets import Scene, write_index, write_scene


def photo(seed: int, side: int = 40, lighter: int = 0) -> np.ndarray:
    """Random texture of a random brightness and contrast."""
    generator = np.random.default_rng(seed)
    level, contrast = generator.normal(110, 15), generator.uniform(5, 25)
    return (level + lighter + contrast * generator.standard_normal((side, side, 3))).clip(0, 255).astype(np.uint8)


def folder_of_photos(folder: Path, seeds: range, lighter: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        Image.fromarray(photo(seed, lighter=lighter)).save(folder / f"{seed}.png")
    return folder


def training_index(build: Path, count: int = 60) -> Path:
    """Scenes, and an index as the stage patches makes one: of the scenes that were trained on."""
    scenes = []
    for seed in range(count + 5):
        split = "train" if seed < count else "test"
        defocus = np.full((40, 40), 0.2, np.float32)
        scenes.append(Scene(f"set/{seed}", "set", split, str(seed), 6.0, photo(seed), photo(seed), defocus))
    write_index(build / "scenes", [write_scene(build / "scenes", scene) for scene in scenes])
    index = build / "patches" / "index.parquet"
    index.parent.mkdir()
    pd.DataFrame({"scene": [f"set/{seed}" for seed in range(count) for _ in range(2)]}).to_parquet(index)
    return index
