"""Crops of the sample's scenes for benchmarks: rendered in memory, the same for a seed, no stage needed before."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sftdec.datasets import Scene, read_recipes, sample

SIGMA_MAX = 6.0  # px, as in params.yaml
Crops = tuple[Tensor, Tensor, Tensor]  # blurred and sharp N×3×S×S, defocus N×1×S×S, all 0..1


def scenes(folder: Path, split: str, count: int) -> list[Scene]:
    """``count`` scenes of a split (or as many as there are), at even distances in the list of recipes."""
    recipes = [recipe for recipe in read_recipes(folder / sample.RECIPES) if recipe.split == split]
    chosen = np.linspace(0, len(recipes) - 1, min(count, len(recipes))).round().astype(int)
    return [sample.read(recipes[number], SIGMA_MAX) for number in chosen]


def _cut(scene: Scene, top: int, left: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, columns = slice(top, top + size), slice(left, left + size)
    pictures = (scene.blurred[rows, columns], scene.sharp[rows, columns])
    blurred, sharp = (torch.from_numpy(each.copy()).permute(2, 0, 1).float() / 255 for each in pictures)
    return blurred, sharp, torch.from_numpy(scene.defocus[rows, columns].copy())[None]


def _stack(cuts: list[tuple[Tensor, Tensor, Tensor]]) -> Crops:
    blurred, sharp, defocus = (torch.stack(each) for each in zip(*cuts, strict=True))
    return blurred, sharp, defocus


def random_crops(pictures: list[Scene], count: int, size: int, seed: int, step: int) -> Crops:
    """The batch of a step: ``count`` crops of ``size`` px anywhere in any of the scenes."""
    generator = np.random.default_rng((seed, step))
    cuts = []
    for number in generator.integers(len(pictures), size=count):
        height, width = pictures[number].sharp.shape[:2]
        top, left = generator.integers(height - size + 1), generator.integers(width - size + 1)
        cuts.append(_cut(pictures[number], int(top), int(left), size))
    return _stack(cuts)


def all_crops(pictures: list[Scene], size: int) -> Crops:
    """Every crop of ``size`` px beside one another."""
    return _stack(
        [
            _cut(scene, top, left, size)
            for scene in pictures
            for top in range(0, scene.sharp.shape[0] - size + 1, size)
            for left in range(0, scene.sharp.shape[1] - size + 1, size)
        ]
    )
