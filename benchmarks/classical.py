"""How good the classical methods are, on scenes rendered from the wheels' photos, whose maps are known.

    python benchmarks/classical.py [--photos NAME…] [--side 224] [--parts gain maps restored time]

- ``gain``: by how many dB deconvolution with the true map brings the blurred photo nearer to the sharp one (PSNR of
  8-bit sRGB), by sigma: whole planes of one sigma, and in a ramp and a cutout up to 3.5 px the pixels within 0.25 px
  of each sigma; with the sample data set's noise and without any (8 bits in both).
- ``maps``: correlation with the true map and mean absolute error (px of sigma) of each method in ramps, reliefs and
  cutouts up to 3 px, focused near and far, by photo and by kind: the median and the worst. Photos come with their
  texture, the share of edge pixels in the poorest of 4×4 parts; from 0.1 on a photo counts as textured.
- ``restored``: what deconvolution with each method's map gains (dB).
- ``time``: seconds a megapixel.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.classical import deconvolve, gradient_magnitude, karaali_jung_map, zhuo_sim_map
from sftdec.datasets import Recipe, Scene, sample
from sftdec.evaluation import psnr, to_uint8
from sftdec.optics import PsfShape

Estimate = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

TEXTURED = ("astronaut", "brick", "camera", "chelsea", "china", "coffee", "flower", "grass", "gravel", "motorcycle")
MAPPED = (
    *("astronaut", "brick", "camera", "chelsea", "china", "coffee", "coins", "flower", "grass", "gravel", "hopper"),
    *("hubble", "ihc", "motorcycle", "rocket"),
)
SCENES = (
    *(("ramp", 0.9, seed) for seed in (1, 2)),
    ("relief", 0.5, 2),
    *(("cutout", focus, seed) for focus in (0.9, 0.1) for seed in (1, 2, 3)),
)
"""Depth, focus (a share of the way to the nearest) and seed: cutouts are sharp before a blurred ground, or blurred."""
EDGE, PARTS_A_SIDE, TEXTURE = 0.04, 4, 0.1  # an edge's gradient of sRGB grey (0..1 a px); a textured photo's share
PARTS = ("gain", "maps", "restored", "time")
SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0)
NOISE = {"noise": (2e-5, 1e-3), "none": (0.0, 0.0)}
METHODS: dict[str, Estimate] = {
    "karaali_jung": karaali_jung_map,
    "karaali_jung, guided filter": lambda photo: karaali_jung_map(photo, propagation="guided"),
    "zhuo_sim": zhuo_sim_map,
    "zhuo_sim, guided filter": lambda photo: zhuo_sim_map(photo, propagation="guided"),
}


def rendered(
    photo: str,
    depth: str,
    sigma: float,
    psf: str,
    side: int,
    noise: tuple[float, float],
    focus: float = 0.9,
    seed: int = 1,
) -> Scene:
    """A scene whose map (0..1) is of ``sigma`` px, which it reaches; three quarters of the photo's size."""
    lens = {"near_m": 1.0, "far_m": 6.0, "focus": focus, "focal_length_mm": 50.0, "pixel_pitch_um": 30.0}
    place: dict[str, Any] = {"scale": 0.75, "height": side, "width": side, "top": 0.5, "left": 0.5, "softness_px": 0.0}
    recipe = Recipe(
        name=f"{photo}_{depth}",
        split="test",
        content="photo",
        photos=(photo,),
        depth=depth,
        max_coc_px=2 * sigma,
        psf=psf,
        blades=6,
        shot_noise=noise[0],
        read_noise=noise[1],
        seed=seed,
        number=0,
        **lens,
        **place,
    )
    return sample.read(recipe, sigma)


def sigma_of(scene: Scene) -> NDArray[np.float32]:
    """The true map in px."""
    return scene.defocus * np.float32(scene.sigma_max)


def gains(photos: list[str], side: int) -> Iterator[dict[str, Any]]:
    """A row for each photo, blur, noise, depth and sigma."""
    for photo in photos:
        for psf in ("disc", "gaussian"):
            for noise, levels in NOISE.items():
                same = {"photo": photo, "psf": psf, "noise": noise}
                for sigma in SIGMAS:
                    scene = rendered(photo, "plane", sigma, psf, side, levels)
                    yield same | {"depth": "plane", "sigma": sigma, "gain": _gain(scene, psf)[0]}
                for depth in ("ramp", "cutout"):
                    scene = rendered(photo, depth, 3.5, psf, side, levels)
                    _, by_sigma = _gain(scene, psf)
                    for sigma, gain in by_sigma.items():
                        yield same | {"depth": depth, "sigma": sigma, "gain": gain}


def _gain(scene: Scene, psf: str) -> tuple[float, dict[float, float]]:
    """DB over the blurred photo: of the whole picture, and of the pixels near each sigma, where there are 500."""
    restored = to_uint8(deconvolve(scene.blurred, sigma_of(scene), cast(PsfShape, psf)))
    errors = [
        np.square(picture.astype(float) - scene.sharp).mean(axis=2).clip(1e-3) for picture in (scene.blurred, restored)
    ]
    near = {sigma: np.abs(sigma_of(scene) - sigma) <= 0.25 for sigma in SIGMAS}
    by_sigma = {
        sigma: 10 * float(np.log10(errors[0][at].mean() / errors[1][at].mean()))
        for sigma, at in near.items()
        if at.sum() >= 500
    }
    return psnr(restored, scene.sharp) - psnr(scene.blurred, scene.sharp), by_sigma


def texture(sharp: NDArray[np.uint8]) -> float:
    """Share of edge pixels in the poorest of 4×4 parts of a sharp picture: without edges no blur can be seen."""
    grey = sharp.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255)
    edges = gradient_magnitude(grey, 1.0) > EDGE
    return min(
        float(part.mean())
        for row in np.array_split(edges, PARTS_A_SIDE)
        for part in np.array_split(row, PARTS_A_SIDE, 1)
    )


def maps(photos: list[str], side: int) -> Iterator[dict[str, Any]]:
    """A row for each photo, scene and method."""
    for photo in photos:
        for depth, focus, seed in SCENES:
            scene = rendered(photo, depth, 3.0, "disc", side, NOISE["noise"], focus, seed)
            truth = sigma_of(scene)
            kind = f"{depth}, {'sharp' if focus > 0.5 else 'blurred'} in front" if depth == "cutout" else depth
            share = round(texture(scene.sharp), 2)
            for method, estimate in METHODS.items():
                found = estimate(scene.blurred)
                yield {
                    "texture": share,
                    "photo": photo,
                    "kind": kind,
                    "method": method,
                    "correlation": np.corrcoef(found.ravel(), truth.ravel())[0, 1] if found.std() > 0 else 0.0,
                    "mae": np.abs(found - truth).mean(),
                }


def restored(photos: list[str], side: int) -> Iterator[dict[str, Any]]:
    """A row for each photo, depth and method."""
    for photo in photos:
        for depth in ("ramp", "cutout"):
            scene = rendered(photo, depth, 3.0, "disc", side, NOISE["noise"])
            for method, estimate in METHODS.items():
                picture = to_uint8(deconvolve(scene.blurred, estimate(scene.blurred), "disc"))
                gain = psnr(picture, scene.sharp) - psnr(scene.blurred, scene.sharp)
                yield {"photo": photo, "depth": depth, "method": method, "gain": gain}


def print_maps(table: pd.DataFrame) -> None:
    """Correlations by photo and, over textured photos, by kind; errors by kind."""
    textured = table[table["texture"] >= TEXTURE]
    for title, rows, by, value, worst in (
        ("by photo", table, ["texture", "photo"], "correlation", "min"),
        ("by kind, textured photos", textured, ["kind"], "correlation", "min"),
        ("by kind, textured photos", textured, ["kind"], "mae", "max"),
    ):
        shown = rows.groupby([*by, "method"])[value].agg(["median", worst]).unstack("method")
        print(f"{value} {title}\n{shown.round(2).to_string()}\n", flush=True)
    below = (textured["correlation"] < 0.6).groupby([textured["kind"], textured["method"]]).mean().unstack()
    print(f"share of textured scenes below 0.6\n{below.round(2).to_string()}\n", flush=True)


def seconds(side: int) -> Iterator[dict[str, Any]]:
    """A row a method: seconds of this process, and on the clock, for a megapixel."""
    scene = rendered("coffee", "ramp", 3.0, "disc", side, NOISE["noise"])
    truth = sigma_of(scene)
    works: dict[str, Callable[[], object]] = {
        name: lambda estimate=estimate: estimate(scene.blurred) for name, estimate in METHODS.items()
    }
    works["deconvolution"] = lambda: deconvolve(scene.blurred, truth)
    for name, work in works.items():
        started, used = time.perf_counter(), time.process_time()
        work()
        scale = 1e6 / truth.size
        taken = {"clock": time.perf_counter() - started, "processor": time.process_time() - used}
        yield {"method": name} | {key: value * scale for key, value in taken.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="+")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    photos = arguments.photos or list(TEXTURED)
    pd.set_option("display.width", 200)
    if "gain" in arguments.parts:
        table = pd.DataFrame(gains(photos, arguments.side))
        shown = table.pivot_table(index=["depth", "psf", "noise"], columns="sigma", values="gain")
        print(f"gain with the true map, dB, mean over photos\n{shown.round(2)}\n", flush=True)
        least = table.pivot_table(index=["photo"], columns="sigma", values="gain", aggfunc="min")
        print(f"the least of each photo\n{least.round(2)}\n", flush=True)
    if "maps" in arguments.parts:
        print_maps(pd.DataFrame(maps(arguments.photos or list(MAPPED), arguments.side)))
    if "restored" in arguments.parts:
        table = pd.DataFrame(restored(photos, arguments.side))
        shown = table.pivot_table(index=["photo", "depth"], columns="method", values="gain", margins=True)
        print(f"gain with each method's map, dB\n{shown.round(2).to_string()}\n", flush=True)
    if "time" in arguments.parts:
        print(f"seconds a megapixel\n{pd.DataFrame(seconds(arguments.side)).set_index('method').round(2)}")


if __name__ == "__main__":
    main()
