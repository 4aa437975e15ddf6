"""Four figures of a photo that need no sharp partner: of a training photo and of an incoming one alike.

They are taken in one window of a fixed side a photo. So a photo of 12 megapixels and a scene of 192 px give
figures of one kind, and each photo counts once: windows of one photo resemble each other, and a test that took
them for independent would alarm at anything. Where the window lies is drawn from the photo's own pixels, so a
photo always gives the same figures.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sftdec.photos import read_photo

if TYPE_CHECKING:
    import torch

    from sftdec.networks import SFTDec

STATISTICS = {
    "sigma": "px of blur, by the network's map",
    "sharpness": "grey levels a px",
    "brightness": "grey levels, 0..255",
    "noise": "grey levels",
}
SMALLEST = 16  # px: what the network takes
WINDOW = 128  # px, as patches.patch_size
DIGITS = 4  # that count; more would only say which photo it was


class DriftError(ValueError):
    """Photos, a reference or a record of statistics that can't be compared; the message says which and why."""


@dataclass(frozen=True)
class Gauge:
    """What the figures were taken with; figures of two gauges can't be compared.

    ``weights`` is the SHA-256 (hex) of the network's weights, ``window`` the side in px.
    """

    weights: str
    window: int = WINDOW

    @classmethod
    def of(cls, network: "SFTDec", window: int = WINDOW) -> "Gauge":
        """The gauge that a network is, wherever its weights came from."""
        digest = hashlib.sha256(network.config.to_json().encode())
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).tobytes())
        return cls(digest.hexdigest(), window)

    def __post_init__(self) -> None:
        if self.window < SMALLEST:
            raise DriftError(f"window: found {self.window} px, expected {SMALLEST} or more")


def photo_statistics(
    network: "SFTDec", photo: NDArray[np.uint8], window: int = WINDOW, device: "torch.device | str" = "cpu"
) -> dict[str, float]:
    """The figures of one sRGB photo, uint8 H×W×3: see ``STATISTICS`` for their units.

    Sigma is the mean of the network's defocus map, sharpness the mean gradient, noise the standard deviation
    estimated from the finest diagonal wavelets (Donoho & Johnstone 1994). Rounded to ``DIGITS`` digits,
    of which as many behind the point.

    Raises:
        DriftError: a photo smaller than the window, which would not compare with the others.
    """
    from skimage.restoration import estimate_sigma

    from sftdec.inference import deblur_array

    cut = _window(photo, window)
    _, defocus = deblur_array(network, cut, device)
    grey = cut.mean(axis=2, dtype=np.float32)
    gradient = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    found = {
        "sigma": float(defocus.mean()) * network.config.sigma_max,
        "sharpness": float(gradient),
        "brightness": float(grey.mean()),
        "noise": float(np.nan_to_num(estimate_sigma(grey))),  # NaN where there is no grain at all
    }
    return {name: float(f"{round(value, DIGITS):.{DIGITS}g}") for name, value in found.items()}


def _window(photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    if min(height, width) < size:
        raise DriftError(
            f"found a photo of {width}×{height} px, expected {size} px or more a side: leave it out, or compare with "
            "a smaller --window"
        )
    digest = hashlib.sha256(np.ascontiguousarray(photo).tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    top, left = (int(generator.integers(0, side - size + 1)) for side in (height, width))
    return photo[top : top + size, left : left + size]


def measure_files(
    network: "SFTDec", files: Iterable[Path], window: int = WINDOW, device: "torch.device | str" = "cpu"
) -> Iterator[tuple[Path, dict[str, float] | str]]:
    """The figures of each file, or in words why it has none."""
    for file in files:
        try:
            yield file, photo_statistics(network, read_photo(file), window, device)
        except ValueError as error:  # DataError, DriftError, PhotoError
            message = str(error)
            yield file, message if str(file) in message else f"{file}: {message}"
