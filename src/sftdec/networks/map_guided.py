"""What networks share that estimate a defocus map first and deblur under its guidance.

N: batch; H, W: picture; h, w: H, W divided by the stem; s: stem; C: features.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

from sftdec.networks.blocks import ResidualBlock, conv
from sftdec.params import NetworkConfig

SMALLEST = 16  # px, height and width


class Restoration(NamedTuple):
    """``deblurred`` N×3×H×W (sRGB, nominally 0..1, not clipped) and ``defocus`` N×1×H×W (sigma / sigma_max)."""

    deblurred: Tensor
    defocus: Tensor


class DefocusMapEstimation(nn.Module):
    """Sec. 3.1: several residual blocks; no activation at the end (DID-ANet)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem, self.centre, self.relu = config.stem, config.dme_centre, config.dme_relu
        self.first = conv(3 * config.stem**2, config.dme_features)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.dme_features, d, config.dme_block_init) for d in config.dme_dilations)
        )
        self.merge = conv(config.dme_features, config.dme_features)
        self.last = conv(config.dme_features, config.stem**2, scale=config.dme_output_init)

    def forward(self, blurred: Tensor) -> Tensor:
        """N×3×H×W in 0..1 → N×1×H×W."""
        features = self.first(pixel_unshuffle(blurred - self.centre, self.stem))  # N×C×h×w
        features = self.merge(self.blocks(features))
        return pixel_shuffle(self.last(features.relu() if self.relu else features), self.stem)


class MapGuided(nn.Module):
    """Estimates the map, then deblurs by ``deblur``, which each network has of its own."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.defocus_map_estimation = DefocusMapEstimation(config)

    def forward(self, blurred: Tensor, defocus: Tensor | None = None, detach_map: bool = False) -> Restoration:
        """Restore N×3×H×W (0..1, H and W >= 16 px), guided by the estimated map or by ``defocus`` N×1×H×W (0..1).

        The returned map is the estimate in either case. With ``detach_map`` no gradient flows from the deblurring
        network into the estimate.

        Raises:
            ValueError: a picture that is too small or of the wrong shape.
        """
        _check_picture(blurred)
        height, width = blurred.shape[2:]
        blurred = _padded(blurred, self.config.stem)
        estimate = self.defocus_map_estimation(blurred)
        guide = (
            (estimate.detach() if detach_map else estimate) if defocus is None else _padded(defocus, self.config.stem)
        )
        deblurred = self.deblur(blurred, guide)
        return Restoration(deblurred[..., :height, :width], estimate[..., :height, :width])

    def deblur(self, blurred: Tensor, guide: Tensor) -> Tensor:
        """Picture N×3×H×W and map N×1×H×W, both padded to the stem → the deblurred picture N×3×H×W."""
        raise NotImplementedError


def _check_picture(blurred: Tensor) -> None:
    if blurred.ndim != 4 or blurred.shape[1] != 3 or min(blurred.shape[2:]) < SMALLEST:
        raise ValueError(f"found a picture of shape {tuple(blurred.shape)}, expected N×3×H×W with H, W >= {SMALLEST}")


def _padded(picture: Tensor, stem: int) -> Tensor:
    """Height and width continued by reflection to a multiple of the stem."""
    below, right = (-picture.shape[2] % stem, -picture.shape[3] % stem)
    return pad(picture, (0, right, 0, below), mode="reflect") if below or right else picture
