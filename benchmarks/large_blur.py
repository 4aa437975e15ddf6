"""Discs larger than the network knows, with ``--max-blur`` and without.

    python benchmarks/large_blur.py [WEIGHTS …] [--photos FOLDER] [--count N] [--side PX] [--times N]
                                    [--radii 5 10 … 40] [--save FOLDER]

The right half of photos that no training recipe names, enlarged ``--times`` (bicubic), is blurred by discs in light and
stored as PNG, as JPEG of quality 85, and as such a JPEG with grain of 3 grey levels over the whole photo. Gain in dB,
mean and worst of the photos, where it is blurred and at the seam (from a radius left of it to two right of it); the
left half's PSNR, and how much of it is the same to the bit; the blurred part's median map, in px of sigma: each without
coarser scales, then with them. ``--save`` keeps photo and both results side by side, to look at. ``--count 1 --side 256
--radii 16`` takes seconds.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from kept_apart import Picture, models, parser, photos, table

from sftdec.inference import Deblurred, Engine, TorchRuntime
from sftdec.optics import Aperture, linear_to_srgb, render_photo, srgb_to_linear, through_jpeg, to_8bit

RADII = (5, 10, 15, 20, 30, 40)
STORED = ((0, 0.0), (85, 0.0), (85, 3.0))  # quality (0: PNG), grain in grey levels


def enlarged(photo: Picture, times: float) -> Picture:
    """A photo in so many times its size: of a large photo's size, though not of its detail, which discs take anyway."""
    return np.asarray(cv2.resize(photo, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8)


def half_blurred(photo: Picture, radius: float) -> Picture:
    """The right half behind the focus, seen through discs."""
    radii = np.zeros(photo.shape[:2], np.float32)
    radii[:, photo.shape[1] // 2 :] = radius
    light, _ = render_photo(srgb_to_linear(photo / np.float32(255)), radii, Aperture("disc"))
    return to_8bit(linear_to_srgb(light))


def grained(photo: Picture, deviation: float) -> Picture:
    """A photo with a sensor's noise, the same each time."""
    noise = np.random.default_rng(0).normal(0, deviation, photo.shape)
    return np.uint8(np.clip(np.rint(photo + noise), 0, 255))


def decibels(found: Picture, sharp: Picture) -> float:
    """PSNR; 99 where nothing differs."""
    error = float(np.mean((found.astype(np.float64) - sharp) ** 2))
    return min(99.0, 10 * float(np.log10(255**2 / max(error, 1e-9))))


def measured(sharp: Picture, seen: Picture, radius: int, off: Deblurred, on: Deblurred) -> list[float]:
    """Gains where it is blurred, at the seam and in the left half, each off and on; share kept; both maps."""
    middle, wide = sharp.shape[1] // 2, 2 * radius
    parts = slice(middle + wide, None), slice(middle - radius, middle + wide), slice(0, middle - wide)
    gains = [
        decibels(result.image[:, part], sharp[:, part]) - decibels(seen[:, part], sharp[:, part])
        for part in parts[:2]
        for result in (off, on)
    ]
    left = [decibels(result.image[:, parts[2]], sharp[:, parts[2]]) for result in (off, on)]
    same = (off.image == on.image).all(axis=2)[:, parts[2]].mean()
    return [
        *gains,
        *left,
        100 * float(same),
        float(np.median(off.defocus[:, parts[0]])),
        float(np.median(on.defocus[:, parts[0]])),
    ]


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--radii", type=int, nargs="+", default=RADII)
    options.add_argument("--times", type=float, default=2.0)
    options.add_argument("--save", type=Path, metavar="FOLDER")
    given = options.parse_args()
    sharp = photos(given, lambda photo: enlarged(photo, given.times))
    sizes = ", ".join(f"{name} {each.shape[1]}×{each.shape[0]}" for name, each in sharp.items())
    print(f"{len(sharp)} photos: {sizes}; gain in dB without → with coarser scales, mean (worst)\n")
    rows = []
    for model, network in models(given).items():
        computing = TorchRuntime(network, torch.device("cpu"), "fp32")
        off, on = Engine(computing, max_blur=0), Engine(computing)
        for quality, grain in STORED:
            for radius in given.radii:
                found = []
                for name, photo in sharp.items():
                    seen = through_jpeg(grained(half_blurred(photo, radius), grain), quality)
                    results = off(seen), on(seen)
                    found.append(measured(photo, seen, radius, *results))
                    if given.save:
                        page = np.concatenate([seen, *(result.image for result in results)], axis=1)
                        given.save.mkdir(parents=True, exist_ok=True)
                        cv2.imwrite(
                            str(given.save / f"{model}_{name}_{radius}_{quality}_{grain:g}.png"), page[..., ::-1]
                        )
                mean, worst = np.mean(found, axis=0), np.min(found, axis=0)
                gains = [
                    f"{mean[at]:+.2f} ({worst[at]:+.2f}) → {mean[at + 1]:+.2f} ({worst[at + 1]:+.2f})" for at in (0, 2)
                ]
                maps = f"{mean[7] * off.sigma_max:.1f} → {mean[8] * on.sigma_max:.1f}"
                stored = (f"JPEG {quality}" if quality else "PNG") + (f", grain {grain:g}" if grain else "")
                left = f"{mean[4]:.1f} → {mean[5]:.1f}, {mean[6]:.1f} %"
                rows.append([model, f"{radius} (σ {radius / 2:g})", stored, *gains, left, maps])
                print(" | ".join(rows[-1]), flush=True)
    print("\n" + table(["model", "disc", "stored", "blurred", "seam", "left half", "map, σ"], rows))


if __name__ == "__main__":
    main()
