"""Defocus maps by re-blurred edges with adaptive scale (Karaali & Jung 2017).

A. Karaali, C. R. Jung: "Edge-Based Defocus Blur Estimation With Adaptive Scale Selection", IEEE Transactions on Image
Processing 27(3), 2018. Edges that persist over several scales are kept; the scale up to which one does sets how far
it is blurred again, so that noise and neighbouring edges disturb little. The ratio of gradients gives sigma; along
connected edges it is smoothed; an edge-aware filter spreads it. Numbers are those of the paper and its released code.

H, W: picture; S: scales.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse as matrices
from scipy.sparse import linalg
from skimage.feature import canny

from sftdec.classical.edges import as_unit, gradient_magnitude, grey_light, sigma_of_ratio
from sftdec.classical.propagation import by_domain_transform, by_guided_filter, domain_transform

Floats = NDArray[np.float32]
Propagation = Literal["domain", "guided"]

SIGMA_MAX = 6.0  # px; the paper looks up to 5
SCALES = tuple(1 + 0.5 * number for number in range(9))  # px of Canny's Gaussian, 1..5
_PERSIST = 4  # an edge is kept that is found at the first four
_STRONG, _WEAK = 0.5, 0.4  # the released code has 0.7, which leaves blurred parts of a textured photo without edges
_SOBEL = 8.0  # Canny's gradient of a slope of 1
_SHARE = 1 / 16  # reach of the propagation, of the shorter side; the released code's 1/8 spans things of that size
_SCALE = 1.0  # px: Gaussian of the first gradient; the second's is half the scale of the edge
_FLAT = 1e-4  # gradient (linear light a px): less than a step of one dark 8-bit level
_SMOOTHNESS = 10.0  # γ of the connected edge filter


def scale_edges(grey: Floats) -> NDArray[np.bool_]:
    """Where Canny finds an edge at each of ``SCALES``, S×H×W.

    Its thresholds follow the scale's own gradients: ``_STRONG`` of the pixels are below the higher, and the lower is
    ``_WEAK`` of that gradient, as in the detector that the released code calls.
    """
    found = []
    for scale in SCALES:
        strong = _SOBEL * float(np.quantile(gradient_magnitude(grey, scale), _STRONG))
        found.append(canny(grey, scale, _WEAK * strong, strong))
    return np.stack(found)


def persistence(found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many scales from the finest on have an edge without a break, H×W, of S×H×W."""
    return np.asarray(np.cumprod(found, axis=0).sum(axis=0), np.intp)


def connected_edge_filter(sigma: Floats, edges: NDArray[np.bool_], trust: Floats, smoothness: float) -> Floats:
    """Smooth sigma along edges: least Σ trust (f − sigma)² + γ Σ (f − f of each neighbour)², H×W, 0 off the edges.

    Neighbours are the eight around a pixel that are edges too; what isn't connected doesn't mix.
    """
    count = int(edges.sum())
    number = np.full(edges.shape, -1)
    number[edges] = np.arange(count)
    padded = np.pad(number, 1, constant_values=-1)
    height, width = edges.shape
    pairs = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        both = (number >= 0) & (other >= 0)
        pairs.append(np.stack([number[both], other[both]]))
    first, second = np.concatenate(pairs, axis=1)
    ones = np.ones(len(first))
    links = matrices.coo_array((ones, (first, second)), shape=(count, count))
    links = links + links.T
    own = trust[edges].astype(np.float64)
    degree = np.asarray(links.sum(axis=1)).ravel()
    system = matrices.diags_array(own + 2 * smoothness * degree) - 2 * smoothness * links
    smooth = np.zeros_like(sigma)
    smooth[edges] = linalg.spsolve(system.tocsc(), own * sigma[edges])
    return smooth


def sparse_map(unit: Floats, sigma_max: float = SIGMA_MAX) -> tuple[Floats, Floats]:
    """Sigma (px) at lasting edges of a picture H×W×3 (sRGB, 0..1), and a weight: 1 there and else 0, H×W each.

    Edges are looked for in light, as in the released code, and in its root, since most of light's are in bright parts;
    sigma is measured in light. A ratio of 1 or less, which no step has, tells nothing.
    """
    grey = grey_light(unit)
    both = [scale_edges(light) for light in (grey, np.sqrt(grey))]
    lasting = np.maximum(*(persistence(found) for found in both))
    first = gradient_magnitude(grey, _SCALE)
    edges = (lasting >= _PERSIST) & (first > _FLAT)  # a share of the pixels is above any, even where nothing is
    sigma = np.zeros_like(grey)
    for count in range(_PERSIST, len(SCALES) + 1):
        again = SCALES[count - 1] / 2
        at = edges & (lasting == count)
        if at.any():
            ratio = first[at] / np.maximum(gradient_magnitude(grey, again)[at], 1e-9)
            sigma[at] = sigma_of_ratio(ratio, _SCALE, again, sigma_max)
            edges[at] = ratio > 1
    if not edges.any():
        return np.zeros_like(grey), np.zeros_like(grey)
    trust = 1 + np.maximum(*(found.sum(axis=0, dtype=np.float32) for found in both))
    return connected_edge_filter(sigma, edges, trust, _SMOOTHNESS), edges.astype(np.float32)


def karaali_jung_map(
    image: NDArray[np.generic], sigma_max: float = SIGMA_MAX, propagation: Propagation = "domain"
) -> Floats:
    """Sigma in px (0..sigma_max), H×W, of a photo: sRGB H×W×3, uint8 or float in 0..1.

    ``propagation``: ``domain``, the recursive edge-aware filter of the released code (Gastal & Oliveira 2011) guided by
    the photo, or ``guided``, a guided filter. A photo without lasting edges tells nothing: sigma 0.

    Raises:
        ValueError: another shape or type, or a side below 16 px.
    """
    unit = as_unit(image)
    sparse, weight = sparse_map(unit, sigma_max)
    if not weight.any():
        return np.zeros(unit.shape[:2], np.float32)
    side = min(sparse.shape)
    if propagation == "guided":
        spread = by_guided_filter(sparse, weight, unit, radius=max(8, round(_SHARE * side)), epsilon=0.1)
    else:
        guide = domain_transform(unit, unit, 7, 0.5)
        spread = by_domain_transform(sparse, weight, guide, max(8, _SHARE * side), 3.75)
    return np.clip(spread, 0, np.float32(sigma_max))
