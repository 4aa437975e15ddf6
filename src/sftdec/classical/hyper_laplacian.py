"""Non-blind deconvolution with a hyper-Laplacian prior (Krishnan & Fergus 2009).

D. Krishnan, R. Fergus: "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009. The picture x minimises
λ/2 |x ⊗ k − y|² + Σ |∇x|^α (eq. 2); half-quadratic splitting puts w in ∇x's place and alternates between a problem of
one number a pixel, from a table, and a quadratic one, by transforms.

The paper's transforms take the picture as periodic, so it tapers the border first. Here the picture goes on mirrored:
with kernels that are symmetric, discrete cosine transforms solve the same problem, and there is no seam to taper
(Ng, Chan & Tang 1999, "A fast algorithm for deblurring models with Neumann boundary conditions").

H, W: picture; C: channels; K: kernel.
"""

from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]

ALPHA = 2 / 3  # the paper's exponent with an analytic solution; natural pictures have 0.5 to 0.8
WEIGHT = 2000.0  # λ as released with the paper; rises with the square of signal over noise
BETAS = tuple(float((2 * 2**0.5) ** step) for step in range(6))  # from 1 by 2√2, below 256 (section 3)

CLIPPED = 0.99  # linear light: 254 and 255 of 8 bits

_TABLE_END, _TABLE_STEPS = 64.0, 16384


class _Table(NamedTuple):
    """Below ``threshold`` the least is at 0; beyond it at ``values`` of even steps from it."""

    threshold: float
    places: NDArray[np.float64]
    values: NDArray[np.float64]


@lru_cache(maxsize=8)
def _table(alpha: float) -> _Table:
    """Of the problem at β = 1, which every other β is a scaling of.

    Where the cost at 0 equals that of the other minimum, u = (2 (1 − α))^(1 / (2 − α)), the answer jumps.
    """
    jump = (2 * (1 - alpha)) ** (1 / (2 - alpha))
    threshold = jump + alpha * jump ** (alpha - 1)
    places = np.linspace(threshold, _TABLE_END, _TABLE_STEPS)
    values = places.copy()
    for _ in range(30):  # Newton on u + α u^(α − 1) = v, convex from above the jump on
        values = np.maximum(values, jump)
        slope = 1 + alpha * (alpha - 1) * values ** (alpha - 2)
        values -= (values + alpha * values ** (alpha - 1) - places) / slope
    return _Table(threshold, places, values)


def shrink(v: Floats, beta: float, alpha: float = ALPHA) -> Floats:
    """The w that minimises |w|^α + β/2 (w − v)² (the paper's eq. 5), any shape, by table.

    With w = s u and s = β^(−1 / (2 − α)) it is the problem of β = 1: one table does for all.

    Raises:
        ValueError: an alpha outside 0..1 (both excluded), or a beta that isn't above 0.
    """
    if not 0 < alpha < 1 or not beta > 0:
        raise ValueError(f"found alpha={alpha} and beta={beta}: a hyper-Laplacian has 0 < alpha < 1, and beta > 0")
    table, scale = _table(alpha), beta ** (-1 / (2 - alpha))
    size = np.abs(v) / np.float32(scale)
    place = (size - np.float32(table.threshold)) * np.float32((_TABLE_STEPS - 1) / (_TABLE_END - table.threshold))
    lower = np.clip(place, 0, _TABLE_STEPS - 2).astype(np.int32)
    start = table.values.astype(np.float32)
    found = start[lower] + (place - lower) * (start[lower + 1] - start[lower])
    found = np.where(size < table.threshold, 0, found)
    beyond = size > _TABLE_END
    found[beyond] = size[beyond] - alpha * size[beyond] ** (alpha - 1)  # one step of the iteration is exact enough
    return np.asarray(np.copysign(found * np.float32(scale), v), np.float32)


def _spectrum(kernel: Floats, shape: tuple[int, int]) -> Floats:
    """Eigenvalues H×W of the convolution with a symmetric K×K kernel of a picture that goes on mirrored."""
    rows, columns = (
        np.cos(np.pi / length * np.outer(np.arange(length), np.arange(side) - side // 2))
        for length, side in zip(shape, kernel.shape, strict=True)
    )
    return np.asarray(rows @ kernel.astype(np.float64) @ columns.T, np.float32)


def _laplacian(shape: tuple[int, int]) -> Floats:
    """Eigenvalues H×W of the sum of both differences' squares at mirrored borders."""
    rows, columns = (2 - 2 * np.cos(np.pi / length * np.arange(length)) for length in shape)
    return np.asarray(rows[:, None] + columns, np.float32)


def _cosines(image: Floats, inverse: bool = False) -> Floats:
    transform = fft.idctn if inverse else fft.dctn
    return cast(Floats, transform(image, type=2, norm="ortho", axes=(0, 1)))


def _shrunk_differences(image: Floats, beta: float, alpha: float) -> Floats:
    """∇ᵀ w of H×W×C, where w minimises its own problem at each difference between neighbours."""
    total = np.zeros_like(image)
    down = shrink(np.diff(image, axis=0), beta, alpha)
    total[:-1] -= down
    total[1:] += down
    right = shrink(np.diff(image, axis=1), beta, alpha)
    total[:, :-1] -= right
    total[:, 1:] += right
    return total


def _completed(picture: Floats, trust: Floats, gain: Floats, restored: Floats) -> Floats:
    """The picture with what the restored one would look like in place of what isn't to be trusted, H×W×C.

    A clipped highlight says that there was at least so much light.
    """
    predicted = _cosines(gain * _cosines(restored), inverse=True)
    known = np.where(picture >= CLIPPED, np.maximum(picture, predicted), picture)
    return np.asarray(predicted + trust * (known - predicted), np.float32)


def deconvolve_uniform(
    blurred: Floats,
    kernel: Floats,
    weight: float = WEIGHT,
    alpha: float = ALPHA,
    betas: tuple[float, ...] = BETAS,
    trust: Floats | None = None,
) -> Floats:
    """Take one blur out of a whole picture H×W or H×W×C (linear light, 0..1), each channel by itself.

    ``kernel``: K×K of sum 1, K odd, symmetric in both directions. ``weight``: λ of the data against the prior;
    ``betas``: how strictly w is to be the gradient, one round each. ``trust``: H×W, 0..1; where it is 0 a pixel of
    ``blurred`` counts in the first round only, and then what the picture so far predicts there (as missing data are
    completed in expectation maximisation). The result isn't clipped.

    Raises:
        ValueError: a kernel of even side, of another sum or not symmetric.
    """
    side = kernel.shape[0]
    if kernel.shape != (side, side) or side % 2 == 0 or abs(float(kernel.sum()) - 1) > 1e-3:
        raise ValueError(f"the kernel is {kernel.shape} of sum {kernel.sum():g}: expected K×K with K odd and sum 1")
    if not (np.allclose(kernel, kernel[::-1], atol=1e-5) and np.allclose(kernel, kernel[:, ::-1], atol=1e-5)):
        raise ValueError("the kernel isn't symmetric: mirrored borders need a disc or a Gaussian, not a polygon")
    picture = blurred[..., None] if blurred.ndim == 2 else blurred
    gain = _spectrum(kernel, picture.shape[:2])[..., None]
    curvature = _laplacian(picture.shape[:2])[..., None]
    data = np.float32(weight) * gain * _cosines(picture)
    restored = picture
    for number, beta in enumerate(betas):
        if trust is not None and number:
            data = np.float32(weight) * gain * _cosines(_completed(picture, trust[..., None], gain, restored))
        prior = _cosines(_shrunk_differences(restored, beta, alpha))
        bottom = np.float32(beta) * curvature + np.float32(weight) * gain * gain
        # A constant picture is 0 / 0 nowhere: the kernel's sum is 1.
        restored = _cosines(np.asarray((np.float32(beta) * prior + data) / bottom, np.float32), inverse=True)
    return np.asarray(restored.reshape(blurred.shape), np.float32)
