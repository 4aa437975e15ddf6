"""How good the classical methods are, on scenes rendered from the wheels' photos, whose maps are known.

    python -m benchmarks.classical [--photos NAME…] [--side 224]

Correlation with the true map and mean absolute error (px of sigma) of each method in ramps, reliefs and cutouts up to
3 px, focused near and far, by photo and by kind: the median and the worst. Photos come with their texture, the share of
edge pixels in the poorest of 4×4 parts; from 0.1 on a photo counts as textured.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.classical import gradient_magnitude, karaali_jung_map, zhuo_sim_map
from tests.classical.scenes import rendered, sigma_of

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
SIGMA = 3.0  # px
METHODS = {"karaali_jung": karaali_jung_map, "zhuo_sim": zhuo_sim_map}


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
            scene = rendered(photo, depth, SIGMA, side=side, scale=0.75, seed=seed, focus=focus)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="+", default=MAPPED)
    parser.add_argument("--side", type=int, default=224)
    arguments = parser.parse_args()
    pd.set_option("display.width", 200)
    print_maps(pd.DataFrame(maps(arguments.photos, arguments.side)))


if __name__ == "__main__":
    main()
