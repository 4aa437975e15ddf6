"""Defocus maps by gradient ratio (Zhuo & Sim 2011).

S. Zhuo, T. Sim: "Defocus map estimation from a single image", Pattern Recognition 44(9), 2011. At an edge the
photo's gradient is compared with that of the photo blurred once more; the ratio tells the edge's own blur (eq. 5).
The sparse map is smoothed by a joint bilateral filter (eq. 8), and spread by the matting Laplacian (eq. 11).

H, W: picture.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny

from sftdec.classical.edges import as_unit, gradient_magnitude, grey_light, sigma_of_ratio
from sftdec.classical.propagation import by_guided_filter, by_matting

Floats = NDArray[np.float32]
Propagation = Literal["matting", "guided"]

SIGMA_MAX = 6.0  # px
# px: Gaussians of the two gradients. The paper blurs the photo again by 1 px, which is their difference in squares. The
# narrower the first, the less of neighbouring edges is in the ratio; the authors' demo has 1 and 1.5.
SCALE = 0.7
SCALE_AGAIN = (SCALE**2 + 1) ** 0.5
CANNY = 1.0  # px
# Of Canny's gradient (8 for a slope of 1) of the root of light. The authors' demo has a tenth of the steepest, about
# 0.25, for the higher: what is out of focus has few edges then, and next to none in a textured photo.
WEAK, STRONG = 0.03, 0.06
_SHARE, _EPSILON = 1 / 16, 0.1  # guided filter: radius of the shorter side; a grey's slope is worth little in textures


def sparse_map(unit: Floats, sigma_max: float = SIGMA_MAX) -> tuple[Floats, Floats]:
    """Sigma (px) at the edges of a picture H×W×3 (sRGB, 0..1), and a weight that is 1 there and else 0, H×W each."""
    grey = grey_light(unit)
    first, again = gradient_magnitude(grey, SCALE), gradient_magnitude(grey, SCALE_AGAIN)
    edges = canny(np.sqrt(grey), CANNY, WEAK, STRONG)
    ratio = first / np.maximum(again, 1e-9)
    counted = edges & (ratio > 1.01) & (first > 0)
    sigma = sigma_of_ratio(ratio, SCALE, SCALE_AGAIN, sigma_max)
    return np.where(counted, sigma, 0).astype(np.float32), counted.astype(np.float32)


def joint_bilateral(
    sparse: Floats, weight: Floats, guide: Floats, share: float = 0.02, contrast: float = 0.1, bins: int = 12
) -> Floats:
    """The sparse map where ``weight`` is above 0, each value the mean of those near in place and in grey (eq. 8).

    ``share``: the Gaussian's standard deviation as a share of the picture's shorter side (the paper: 10 %; a fifth of
    it keeps more of steps in depth), ``contrast``: of the range of the guide's grey (the paper's 10 %). By slices of
    the grey (Durand & Dorsey 2002), since the window can be much of the picture; between slices it is linear.
    """
    grey = np.asarray(guide.mean(axis=2), np.float32)
    low, high = float(grey.min()), max(float(grey.max()), float(grey.min()) + 1e-6)
    place = (grey - low) / (high - low) * np.float32(bins - 1)
    width, near = contrast * (bins - 1), max(1.0, share * min(sparse.shape))
    smooth = np.zeros_like(sparse)
    small = max(1, int(near / 4))
    size = (max(1, sparse.shape[1] // small), max(1, sparse.shape[0] // small))
    for level in range(bins):
        alike = weight * np.exp(-((place - level) ** 2) / (2 * width**2)).astype(np.float32)
        both = cv2.resize(np.stack([alike * sparse, alike], axis=2), size, interpolation=cv2.INTER_AREA)
        both = cv2.GaussianBlur(both, (0, 0), near / small, borderType=cv2.BORDER_REFLECT)
        both = cv2.resize(both, sparse.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share_of_level = np.maximum(0, 1 - np.abs(place - level))
        smooth += share_of_level * both[..., 0] / np.maximum(both[..., 1], 1e-9)
    return np.where(weight > 0, smooth, 0).astype(np.float32)


def zhuo_sim_map(
    image: NDArray[np.generic], sigma_max: float = SIGMA_MAX, propagation: Propagation = "matting"
) -> Floats:
    """Sigma in px (0..sigma_max), H×W, of a photo: sRGB H×W×3, uint8 or float in 0..1.

    ``propagation``: the paper's matting Laplacian, or a guided filter, which takes a tenth of the time. A photo
    without edges tells nothing: sigma 0.

    Raises:
        ValueError: another shape or type, or a side below 16 px.
    """
    unit = as_unit(image)
    sparse, weight = sparse_map(unit, sigma_max)
    if not weight.any():
        return np.zeros(unit.shape[:2], np.float32)
    smooth = joint_bilateral(sparse, weight, unit)
    if propagation == "guided":
        radius = max(8, round(_SHARE * min(smooth.shape)))
        spread = by_guided_filter(smooth, weight, unit, radius, _EPSILON)
    else:
        spread = by_matting(smooth, weight, unit)
    return np.clip(spread, 0, np.float32(sigma_max))
