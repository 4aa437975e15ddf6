"""How well defocus maps are estimated from pairs of photos.

    python benchmarks/pair_defocus.py [--sample data/sample] [--stereo FOLDER] [--pairs FOLDER]

- ``--sample``: recipes; their test and validation scenes are rendered, the maps are known.
- ``--stereo``: a folder a scene, each with ``view1.*`` and ``disp1.png`` (grey, 0 unknown). Each is rendered by a disc
  and by a Gaussian, focused on its far and on its near end, up to a sigma of ``--stereo-sigma`` px, with noise.
- ``--pairs``: ``input/`` (blurred) and ``ground_truth/``, or another layout that `sftdec datasets` shows.

For rendered scenes: mean absolute error of sigma (px) where the truth is at most 5 px and the sharp photo has texture:
the root mean square gradient of its grey levels in 15×15 px is at least ``--texture`` levels a px; ``textured`` is the
share of such pixels. ``edges``: their share within 15 px of a step of the true map of more than 1 px; ``sure``: their
share with a confidence above 0.5. For real pairs: by how many dB (PSNR of 8-bit sRGB) the sharp photo comes closer to
the blurred one when it is blurred with the estimated map, for each sigma_max; ``saturated`` is the share of the map
within 1 % of it.
"""

import argparse
import resource
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from sftdec.datasets import find_pairs, read_pairs, read_recipes, sample
from sftdec.datasets.pair_defocus import estimate_defocus
from sftdec.datasets.pair_light import blurred_by, ladder
from sftdec.evaluation import psnr
from sftdec.optics import Aperture, PsfShape, add_noise, linear_to_srgb, render_photo, srgb_to_linear, to_8bit
from sftdec.photos import read_photo, read_values

Rendered = tuple[str, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def textured(sharp: NDArray[np.uint8], least: float) -> NDArray[np.bool_]:
    """Where a sharp photo (H×W×3) has texture, H×W: see the module's docstring."""
    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = np.gradient(grey, axis=0) ** 2 + np.gradient(grey, axis=1) ** 2
    return np.asarray(np.sqrt(cv2.boxFilter(energy, -1, (15, 15))) >= least)


def sample_scenes(folder: Path, sigma_max: float) -> Iterator[Rendered]:
    """Name, blurred, sharp and sigma (px) of the sample's test and validation scenes."""
    for recipe in read_recipes(folder / sample.RECIPES):
        if recipe.split != "train":
            scene = sample.read(recipe, sigma_max)
            yield recipe.name, scene.blurred, scene.sharp, scene.defocus * np.float32(sigma_max)


def stereo_scenes(folder: Path, sigma: float) -> Iterator[Rendered]:
    """Name, blurred, sharp and sigma (px) of measured scenes, each rendered in four ways."""
    views: tuple[tuple[PsfShape, float], ...] = (("disc", 0), ("gaussian", 0), ("disc", 1), ("gaussian", 1))
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        sharp = read_photo(next(scene.glob("view1.*")))
        disparity = read_values(scene / "disp1.png").astype(np.float32)
        rows, columns = ndimage.distance_transform_edt(disparity == 0, return_distances=False, return_indices=True)
        disparity = disparity[rows, columns]
        low, high = np.percentile(disparity, [1, 99])
        nearness = np.clip((disparity - low) / (high - low), 0, 1)
        for shape, focus in views:
            name = f"{scene.name}_{shape}_{'near' if focus else 'far'}"
            radius = np.asarray(2 * sigma * (focus - nearness), np.float32)
            light, rendered = render_photo(srgb_to_linear(sharp / np.float32(255)), radius, Aperture(shape))
            noisy = add_noise(light, 2e-5, 1e-3, np.random.default_rng(zlib.crc32(name.encode())))
            yield name, to_8bit(linear_to_srgb(noisy)), sharp, np.asarray(np.abs(rendered) / 2, np.float32)


def measure_rendered(scenes: Iterator[Rendered], sigma_max: float, texture: float) -> pd.DataFrame:
    """A row a scene: error (px of sigma) where there is texture, and away from depth edges there."""
    rows: list[dict[str, Any]] = []
    for name, blurred, sharp, truth in scenes:
        found = estimate_defocus(blurred, sharp, sigma_max)
        counted = textured(sharp, texture) & (truth <= 5)
        edge = ndimage.maximum_filter(truth, 31) - ndimage.minimum_filter(truth, 31) > 1
        error = np.abs(found.sigma - truth)
        sure = counted & (found.confidence > 0.5)
        rows.append(
            {
                "scene": name,
                "sigma_peak": truth.max(),
                "textured": counted.mean(),
                "mae": error[counted].mean(),
                "edges": edge[counted].mean(),
                "mae_off_edges": error[counted & ~edge].mean() if (counted & ~edge).any() else np.nan,
                "sure": sure.sum() / counted.sum(),
                "mae_sure": error[sure].mean() if sure.any() else np.nan,
            }
        )
    return pd.DataFrame(rows).set_index("scene")


def blur_with_map(
    sharp_linear: NDArray[np.float32], sigma: NDArray[np.float32], shape: PsfShape = "gaussian"
) -> NDArray[np.float32]:
    """Blur each pixel of H×W×3 (linear light) by its own sigma (px, H×W), between the levels of a stack of blurs.

    Each pixel gathers light as if all around it were as far away: around depth edges a lens does otherwise.
    """
    blurs = ladder(max(float(sigma.max()), 0.25), shape, 0.125, 0.04)
    place = np.interp(sigma, blurs.sigma, np.arange(len(blurs.sigma))).astype(np.float32)
    mixed = np.zeros_like(sharp_linear)
    for number, level in enumerate(blurs.sigma):
        weight = np.maximum(0, 1 - np.abs(place - number))
        if weight.any():
            mixed += weight[..., None] * blurred_by(sharp_linear, float(level), shape)
    return mixed


def measure_pairs(folder: Path, sigma_max: float) -> pd.DataFrame:
    """A row a pair: gain (dB) of blurring the sharp photo with the estimated map, and what the estimate cost."""
    rows: list[dict[str, Any]] = []
    for scene in read_pairs("pairs", find_pairs(folder)):
        started = time.perf_counter()
        found = estimate_defocus(scene.blurred, scene.sharp, sigma_max)
        seconds = time.perf_counter() - started
        row: dict[str, Any] = {"input": scene.name.removeprefix("pairs/")}
        row["psnr_sharp"] = psnr(scene.sharp, scene.blurred)
        light = srgb_to_linear(scene.sharp / np.float32(255))
        for shape in ("gaussian", "disc"):
            blurred_again = to_8bit(linear_to_srgb(blur_with_map(light, found.sigma, shape)))
            row[f"gain_{shape}"] = psnr(blurred_again, scene.blurred) - row["psnr_sharp"]
        row |= {
            "sigma_mean": found.sigma.mean(),
            "saturated": np.mean(found.sigma > 0.99 * sigma_max),
            "confidence": found.confidence.mean(),
            "seconds": seconds,
        }
        rows.append(row)
    return pd.DataFrame(rows).set_index("input")


def show(title: str, table: pd.DataFrame) -> None:
    """Print a table, its mean and the memory used so far."""
    print(f"\n{title}\n{table.round(3).to_string()}\nmean\n{table.mean().round(3).to_string()}")
    print(f"peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path)
    parser.add_argument("--stereo", type=Path)
    parser.add_argument("--stereo-sigma", type=float, default=5.0)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--sigma-max", type=float, nargs="+", default=[6.0, 8.0, 12.0])
    parser.add_argument("--texture", type=float, default=5.0)
    arguments = parser.parse_args()
    if arguments.pairs:
        for sigma_max in arguments.sigma_max:
            show(f"real pairs, sigma_max {sigma_max:g}", measure_pairs(arguments.pairs, sigma_max))
    if arguments.sample:
        show("rendered recipes", measure_rendered(sample_scenes(arguments.sample, 6), 6, arguments.texture))
    if arguments.stereo:
        scenes = stereo_scenes(arguments.stereo, arguments.stereo_sigma)
        show("rendered stereo scenes", measure_rendered(scenes, 6, arguments.texture))


if __name__ == "__main__":
    main()
