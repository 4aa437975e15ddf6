"""Whether a model leaves alone what is in focus, as cameras give it, and what it gains from the least blur.

    python benchmarks/never_worse.py [WEIGHTS …] [--photos FOLDER] [--count N] [--side PX]
                                     [--noise 0 3 8] [--jpeg none 92 75] [--sharpen 0 1]

Photos that no training recipe names, halved, so that they are in focus everywhere, are taken as they are and blurred by
a Gaussian of sigma 1 px in light; then come noise (grey levels), a camera's sharpening and JPEG. The reference is the
halved photo, sharpened where the other one is, without noise and JPEG. Prints, for the shipped model and each file of
weights, the gain in PSNR over the photos, mean and worst; where a photo went in as it is, the result against it, mean
and worst. ``--count 2 --side 128 --noise 0 3 --jpeg none 92 --sharpen 0`` takes seconds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from kept_apart import Picture, deblurred, engines, parser, photos, table
from scipy import ndimage

from sftdec.evaluation import psnr
from sftdec.inference import Engine
from sftdec.optics import linear_to_srgb, sharpen, srgb_to_linear, through_jpeg, to_8bit

SHARPEN_PX = 1.0  # sigma of a camera's unsharp mask
SEED = 20


@dataclass(frozen=True)
class Camera:
    """What became of a photo before the model saw it."""

    blur: float  # px, sigma
    noise: float  # grey levels
    sharpen: float
    jpeg: int  # quality; 0: none

    def cells(self) -> list[str]:
        """Of a table's row."""
        blur = f"σ {self.blur:g}" if self.blur else "in focus"
        return [blur, f"{self.noise:g}", f"{self.jpeg or 'none'}", f"{self.sharpen:g}"]

    def take(self, photo: Picture) -> tuple[Picture, Picture]:
        """The photo as the model gets it, and the reference."""
        values = photo / np.float32(255)
        seen = values
        if self.blur:
            light = ndimage.gaussian_filter(srgb_to_linear(values), self.blur, mode="reflect", axes=(0, 1))
            seen = linear_to_srgb(light)
        grain = np.random.default_rng(SEED).normal(0, self.noise / 255, seen.shape).astype(np.float32)
        seen = np.clip(seen + grain, 0, 1)
        seen, reference = (to_8bit(sharpen(each, self.sharpen, SHARPEN_PX)) for each in (seen, values))
        return through_jpeg(seen, self.jpeg), reference


@dataclass(frozen=True)
class Found:
    """PSNR (dB) of what went in and of what came out, against the reference."""

    before: float
    after: float


def measure(engine: Engine, camera: Camera, pictures: dict[str, Picture]) -> list[Found]:
    """Of each photo."""
    found = []
    for photo in pictures.values():
        seen, reference = camera.take(photo)
        found.append(Found(psnr(seen, reference), psnr(deblurred(engine, seen)[0], reference)))
    return found


def cell(found: list[Found]) -> str:
    """Mean and worst, of the gain or, of photos that went in as they are, of the result's PSNR."""
    if any(math.isinf(each.before) for each in found):
        values = [each.after for each in found]
        return f"{np.mean(values):.1f} dB, {min(values):.1f}"
    gains = [each.after - each.before for each in found]
    return f"{np.mean(gains):+.2f}, {min(gains):+.2f}"


def summary(name: str, results: dict[Camera, list[Found]]) -> Iterator[str]:
    """What is aimed at, of one model."""
    focused = [(camera, each) for camera, found in results.items() if not camera.blur for each in found]
    gains = [(each.after - each.before, camera) for camera, each in focused if math.isfinite(each.before)]
    if gains:
        worst, camera = min(gains, key=lambda pair: pair[0])
        yield f"{name}: in focus, worst of all {worst:+.2f} dB ({', '.join(camera.cells()[1:])}); aim -0.2"
    plain = [each.after for _, each in focused if math.isinf(each.before)]
    if plain:
        yield f"{name}: in focus without noise and JPEG, result against photo {min(plain):.1f} dB at least; aim 50"
    clean = results.get(Camera(1.0, 0, 0, 0))
    if clean:
        yield f"{name}: blurred by sigma 1, clean, {cell(clean).split(',')[0]} dB; aim +1.5"


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--noise", type=float, nargs="+", default=[0, 3, 8])
    options.add_argument("--jpeg", nargs="+", default=["none", "92", "75"])
    options.add_argument("--sharpen", type=float, nargs="+", default=[0, 1])
    given = options.parse_args()
    qualities = [0 if each == "none" else int(each) for each in given.jpeg]
    pictures, models = photos(given), engines(given)
    cameras = [Camera(*each) for each in product((0.0, 1.0), given.noise, given.sharpen, qualities)]
    results = {name: {each: measure(engine, each, pictures) for each in cameras} for name, engine in models.items()}
    print(f"{len(pictures)} photos: {', '.join(pictures)}; mean and worst, dB\n")
    titles = ["photo", "noise", "JPEG", "sharpened", *results]
    print(table(titles, [each.cells() + [cell(found[each]) for found in results.values()] for each in cameras]) + "\n")
    for name, found in results.items():
        print(*summary(name, found), sep="\n")


if __name__ == "__main__":
    main()
