"""How papers measure: the figures of their public scripts, on the pictures of a published data set as they lie.

None of them is this project's own way (``metrics``), and none is comparable with another.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.datasets import Entry
from sftdec.evaluation.metrics import psnr, ssim, to_uint8
from sftdec.photos import read_picture
from sftdec.runtime import DataError

Values = NDArray[np.float32]
Restore = Callable[[Values], Values]
_PERCEPTUAL: dict[str, tuple[str, Callable[[Any], Callable[..., Any]]]] = {  # measure: its package, and what makes it
    "lpips": ("lpips", lambda package: partial(package.LPIPS(net="alex", verbose=False), normalize=True)),
    "dists": ("DISTS_pytorch", lambda package: package.DISTS()),
}
PUBLISHED_MEASURES = ["psnr", "psnr_blurred", "ssim", "ssim_blurred", "image_mae"]


@dataclass(frozen=True)
class PublishedProtocol:
    """A way to measure. ``source``: the script that it follows; ``says``: what it does, in a sentence.

    ``bits``: what a picture is read as: 16, or 8 as OpenCV has a picture of 16 bits, without its lower ones.
    ``multiple``: rows below and columns at the right are cut off until height and width are multiples of it (px).
    ``rounds``: whether what is compared has 8 bits, and SSIM's window is ``metrics``'s.
    """

    source: str
    says: str
    bits: int = 8
    multiple: int = 1
    rounds: bool = False

    def read(self, path: Path) -> Values:
        """A picture as this protocol has it, float32 H×W×3 in 0..1.

        Raises:
            DataError: it can't be read, or nothing is left of it once it is cut.
        """
        levels = read_picture(path).colour
        if levels.dtype == np.uint16 and self.bits == 8:
            levels = (levels >> 8).astype(np.uint8)
        height, width = (side - side % self.multiple for side in levels.shape[:2])
        if not height or not width:
            raise DataError(
                f"{path}: {levels.shape[1]}×{levels.shape[0]} px, expected {self.multiple} px a side or more"
            )
        whole = 1.0 if levels.dtype == np.float32 else np.iinfo(levels.dtype).max
        return np.asarray(levels[:height, :width] / np.float32(whole), np.float32)

    def compare(self, image: Values, sharp: Values) -> dict[str, float]:
        """PSNR (dB), SSIM and mean absolute error of two pictures in 0..1."""
        if self.rounds:
            levels, truth = to_uint8(image), to_uint8(sharp)
            return {
                "psnr": psnr(levels, truth),
                "ssim": ssim(levels, truth),
                "image_mae": _mae(levels / 255, truth / 255),
            }
        from skimage.metrics import structural_similarity

        first, second = image.astype(np.float64), sharp.astype(np.float64)
        mean_square = float(np.mean(np.square(first - second)))
        return {
            "psnr": math.inf if mean_square == 0 else 10 * math.log10(1 / mean_square),
            "ssim": float(structural_similarity(first, second, data_range=1, channel_axis=2)),
            "image_mae": _mae(first, second),
        }


PROTOCOLS: Mapping[str, PublishedProtocol] = {
    "dpdd": PublishedProtocol(
        "https://github.com/Abdullah-Abuolaim/defocus-deblurring-dual-pixel, DPDNet/metrics.py",
        "16 bits, unrounded, SSIM's window of 7×7",
        bits=16,
    ),
    "dpdd8": PublishedProtocol(
        "https://github.com/swz30/Restormer, Defocus_Deblurring/test_single_image_defocus_deblur.py",
        "the upper 8 of 16 bits, what comes out unrounded, SSIM's window of 7×7",
    ),
    "realdof": PublishedProtocol(
        "https://github.com/codeslake/IFAN, eval.py",
        "8 bits, cut to multiples of 8 px, what comes out unrounded, SSIM's window of 7×7",
        multiple=8,
    ),
    "lfdof": PublishedProtocol(
        "https://github.com/lingyanruan/DRBNet, run.py",
        "8 bits, cut to multiples of 16 px, what comes out unrounded, SSIM's window of 7×7",
        multiple=16,
    ),
    "sftdec": PublishedProtocol(
        "this project, evaluation/metrics.py",
        "8 bits, what comes out rounded, SSIM's Gaussian window of 11×11",
        rounds=True,
    ),
}


def measure_pair(protocol: PublishedProtocol, entry: Entry, restore: Restore) -> dict[str, Any]:
    """A pair's row: ``PUBLISHED_MEASURES``, and ``lpips`` and ``dists`` where these packages are installed.

    Raises:
        DataError: a picture that can't be read, no sharp one, another size, or the same picture twice.
    """
    if entry.sharp is None:
        raise DataError(f"{entry.blurred}: there is no sharp photo of it; a pair needs both")
    blurred, sharp = protocol.read(entry.blurred), protocol.read(entry.sharp)
    if blurred.shape != sharp.shape:
        found = " and ".join(f"{each.shape[1]}×{each.shape[0]} px" for each in (blurred, sharp))
        raise DataError(f"{entry.blurred}: found a pair of {found}, expected one size; take it out of the folder")
    if np.array_equal(blurred, sharp):
        raise DataError(f"{entry.blurred}: it is its own sharp photo {entry.sharp}; correct the pairing")
    restored = restore(blurred)
    before = {
        f"{name}_blurred": value for name, value in protocol.compare(blurred, sharp).items() if name != "image_mae"
    }
    return {"scene": entry.name, **protocol.compare(restored, sharp), **before, **_perceived(restored, sharp)}


def _mae(image: NDArray[Any], sharp: NDArray[Any]) -> float:
    return float(np.mean(np.abs(image - sharp), dtype=np.float64))


def _perceived(image: Values, sharp: Values) -> dict[str, float]:
    """LPIPS (AlexNet, as the scripts have it) and DISTS, of the packages of these names, where they are installed."""
    if not (measures := _perceptual()):
        return {}
    import torch

    first, second = (torch.from_numpy(np.moveaxis(each, 2, 0)[None].copy()) for each in (image, sharp))
    with torch.inference_mode():
        return {name: float(measure(first, second)) for name, measure in measures.items()}


def perceptual_packages() -> list[str]:
    """Those of ``lpips`` and ``DISTS_pytorch`` that are installed, with their versions."""
    return [f"{package} {metadata.version(package)}" for package, _ in _PERCEPTUAL.values() if find_spec(package)]


@cache
def _perceptual() -> dict[str, Callable[..., Any]]:
    """What the packages that are installed compare two pictures with; made once, for each has a network.

    Raises:
        DataError: a package is there and can't be used: another torchvision than PyTorch wants, or no way to weights.
    """
    found: dict[str, Callable[..., Any]] = {}
    for name, (package, make) in _PERCEPTUAL.items():
        if find_spec(package):
            try:
                found[name] = make(import_module(package))
            except Exception as error:  # whatever it is, the package isn't ours
                mend = "mend its torchvision or uninstall it, and the figures come without it"
                raise DataError(f"{name}: {package} is installed and can't be used ({error}); {mend}") from error
    return found
