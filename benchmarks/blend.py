"""How much of the change is right, and on which side of the focus a photo is blurred: the figures of docs/using.md.

    python -m benchmarks.blend FOLDER [--model M] [--strengths 0.25 0.5 0.75 1 1.25 1.5]

FOLDER holds ``input/NAME_A.png`` (focused near, blurred behind), ``input/NAME_B.png`` (focused far, blurred in front)
and ``ground_truth/NAME.png``, as the Lytro pairs do. Printed are, where the map reads more than 1 px of sigma, the mean
gain in PSNR at each strength (dB), and how much of what is blurred ``--only`` puts on the right side; then what becomes
of what is blurred and of what is in focus by the pair itself: where the other picture's detail is 2.5 times as strong,
and where this one's is.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from sftdec import Deblurrer
from sftdec.inference import Blend
from sftdec.photos import read_photo

BLURRED = 1.0  # px of sigma
OTHER = {"A": "B", "B": "A"}  # picture of a pair
SHARPER, AROUND = 2.5, 6.0  # times the other's detail; px of the Gaussian that evens it


def psnr(found: np.ndarray, sharp: np.ndarray, where: np.ndarray) -> float:
    """In dB, of 8-bit pictures, over some of their pixels."""
    error = (found.astype(np.float64) - sharp)[where]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def detail(photo: np.ndarray) -> np.ndarray:
    """The energy of the Laplacian around each pixel, H×W."""
    return np.asarray(ndimage.gaussian_filter(ndimage.laplace(photo.mean(axis=2)) ** 2, AROUND))


def on_the_right_side(defocus: np.ndarray, sigma_max: float, is_far: bool) -> float:
    """The share of what is blurred that is taken for what it is."""
    rows, columns = (slice(0, side) for side in defocus.shape)
    behind = Blend(only="background").weights(defocus, sigma_max)(rows, columns).sum()
    front = Blend(only="foreground").weights(defocus, sigma_max)(rows, columns).sum()
    return float((front if is_far else behind) / (front + behind))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0, 1.25, 1.5])
    arguments = parser.parse_args()
    deblurrer = Deblurrer.load(arguments.model, precision="fp32")
    gains: dict[float, list[float]] = {strength: [] for strength in arguments.strengths}
    right: dict[str, list[float]] = {"A": [], "B": []}
    there, here = list[float](), list[float]()
    for path in sorted((arguments.folder / "input").glob("*_[AB].png")):
        photo = read_photo(path)
        sharp = read_photo(arguments.folder / "ground_truth" / f"{path.stem[:-2]}.png")
        result, defocus = deblurrer(photo / np.float32(255))
        where = defocus * deblurrer.sigma_max > BLURRED
        before = psnr(photo, sharp, where)
        for strength, of_pictures in gains.items():
            mixed = np.clip((1 - strength) * photo + strength * 255 * result, 0, 255)
            of_pictures.append(psnr(mixed, sharp, where) - before)
        right[path.stem[-1]].append(on_the_right_side(defocus, deblurrer.sigma_max, path.stem[-1] == "B"))
        of_pair = path.with_stem(path.stem[:-1] + OTHER[path.stem[-1]])
        mine, other, made = detail(photo), detail(read_photo(of_pair)), np.rint(255 * result)
        blurred = other > SHARPER * mine
        there.append(psnr(made, sharp, blurred) - psnr(photo, sharp, blurred))
        here.append(psnr(made, sharp, mine > SHARPER * other))
    print("strength  gain, dB")
    for strength, of_pictures in gains.items():
        print(f"{strength:8g}  {np.mean(of_pictures):+.2f}")
    for name, kind in (("A", "background"), ("B", "foreground")):
        print(
            f"blurred {kind}: {100 * np.mean(right[name]):.0f} % of it is taken for that, {len(right[name])} pictures"
        )
    print(f"where the other one of the pair is sharper: {np.mean(there):+.2f} dB, {min(there):+.2f} at worst")
    print(f"where this one is: {np.mean(here):.1f} dB from the sharp photo")


if __name__ == "__main__":
    main()
