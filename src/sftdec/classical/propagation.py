"""From sigma at edges to sigma everywhere, guided by the photo: matting Laplacian, guided filter, domain transform.

H, W: picture. In all of them ``sparse`` is H×W and counts where ``weight`` (H×W, 0 or more) is above 0.
"""

from typing import cast

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import sparse as matrices
from scipy.sparse import linalg

Floats = NDArray[np.float32]

_WINDOW = 3
_EVEN = 1e-2  # ε of the matting Laplacian for maps: mattes have 1e-7, but in texture colours tell nothing of depth


def matting_laplacian(guide: Floats, epsilon: float = 1e-3) -> matrices.csr_array:
    """The matting Laplacian, HW×HW, of a colour picture H×W×3 in 0..1 (Levin, Lischinski & Weiss 2008, eq. 12).

    In every 3×3 window a map is to be linear in the colours; ``epsilon`` keeps it smooth where colours don't differ.
    """
    height, width = guide.shape[:2]
    count = _WINDOW**2
    places = np.arange(height * width).reshape(height, width)
    members = sliding_window_view(places, (_WINDOW, _WINDOW)).reshape(-1, count)
    colours = guide.reshape(-1, 3).astype(np.float64)[members]  # windows × 9 × 3
    colours -= colours.mean(axis=1, keepdims=True)
    spread = colours.transpose(0, 2, 1) @ colours / count + epsilon / count * np.eye(3)
    likeness = (1 + colours @ np.linalg.solve(spread, colours.transpose(0, 2, 1))) / count
    entries = np.eye(count) - likeness
    rows, columns = np.repeat(members, count, axis=1), np.tile(members, (1, count))
    size = height * width
    return matrices.coo_array((entries.ravel(), (rows.ravel(), columns.ravel())), shape=(size, size)).tocsr()


def by_matting(
    sparse: Floats,
    weight: Floats,
    guide: Floats,
    strength: float = 0.5,
    largest: int = 150_000,
    rounds: int = 150,
) -> Floats:
    """Spread by the matting Laplacian L: (L + λD) d = λD d̂ with D = ``weight`` and λ = ``strength``, H×W.

    Pictures of more than ``largest`` pixels are solved smaller, and brought back along the photo by a guided filter.
    Conjugate gradients, preconditioned by the diagonal, start from the guided filter's answer; at most ``rounds``.

    Zhuo & Sim have λ = 0.001, on photos of few long edges. In textured ones sigma at edges is dense, and that λ lets
    the map follow colours rather than it: on rendered scenes 0.5 correlates better with the truth.
    """
    height, width = sparse.shape
    ratio = min(1.0, (largest / (height * width)) ** 0.5)
    if ratio < 1:
        size = (max(16, round(width * ratio)), max(16, round(height * ratio)))
        total = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
        mean = cv2.resize(sparse * weight, size, interpolation=cv2.INTER_AREA) / np.maximum(total, 1e-6)
        small = by_matting(
            np.where(total > 0, mean, 0).astype(np.float32),
            np.asarray(np.minimum(total / ratio**2, 1), np.float32),
            np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_AREA), np.float32),
            strength,
            largest * 2,
            rounds,
        )
        wide = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        return by_guided_filter(wide, np.ones_like(wide), guide, radius=max(2, round(2 / ratio)), epsilon=1e-4)
    start = by_guided_filter(sparse, weight, guide, radius=max(8, min(height, width) // 16), epsilon=0.1)
    system = matting_laplacian(guide, _EVEN) + matrices.diags_array(strength * weight.ravel().astype(np.float64))
    jacobi = matrices.diags_array(1 / np.maximum(system.diagonal(), 1e-9))
    aim = strength * (weight * sparse).ravel().astype(np.float64)
    found, _ = linalg.cg(system, aim, x0=start.ravel().astype(np.float64), rtol=1e-4, maxiter=rounds, M=jacobi)
    return np.asarray(found.reshape(height, width), np.float32)


def _box(image: NDArray[np.floating], radius: int) -> Floats:
    side = 2 * radius + 1
    return cast(Floats, cv2.boxFilter(image.astype(np.float32), -1, (side, side), borderType=cv2.BORDER_REFLECT))


def by_guided_filter(sparse: Floats, weight: Floats, guide: Floats, radius: int, epsilon: float = 1e-2) -> Floats:
    """Spread by a guided filter (He, Sun & Tang 2010) whose windows' lines are fitted to the weighted pixels, H×W.

    In windows of ``radius`` px the map is a line of the photo's grey (of 0..1, ``epsilon`` against steep ones); a
    pixel gets the mean line of the windows it is in, each by the weight within. Where no window has any, the mean.
    """
    grey = np.asarray(guide.mean(axis=2), np.float32)
    mass = _box(weight, radius)
    below = np.maximum(mass, np.float32(1e-6))
    mean_grey, mean_map = _box(weight * grey, radius) / below, _box(weight * sparse, radius) / below
    covariance = _box(weight * grey * sparse, radius) / below - mean_grey * mean_map
    variance = np.maximum(_box(weight * grey * grey, radius) / below - mean_grey**2, 0)
    slope = covariance / (variance + np.float32(epsilon))
    offset = mean_map - slope * mean_grey
    total = _box(mass, radius)
    known = np.maximum(total, 1e-6)
    spread = (_box(mass * slope, radius) * grey + _box(mass * offset, radius)) / known
    mean = float((sparse * weight).sum() / max(float(weight.sum()), 1e-6))
    return np.asarray(np.where(total > 1e-6, spread, mean), np.float32)


def _recursive(image: Floats, feedback: Floats) -> Floats:
    """One recursive filter there and back along the rows of H×W×C; ``feedback`` H×W, from the pixel before."""
    lines = np.ascontiguousarray(image.transpose(1, 0, 2))  # W×H×C: a step of the loop reads one piece of memory
    keep = np.ascontiguousarray(feedback.T)[..., None]
    for column in range(1, len(lines)):
        lines[column] += keep[column] * (lines[column - 1] - lines[column])
    for column in range(len(lines) - 2, -1, -1):
        lines[column] += keep[column + 1] * (lines[column + 1] - lines[column])
    return lines.transpose(1, 0, 2)


def domain_transform(image: Floats, guide: Floats, reach: float, contrast: float, rounds: int = 5) -> Floats:
    """Smooth H×W×C along a guide H×W×3 (0..1) by the domain transform's recursive filter (Gastal & Oliveira 2011).

    ``reach``: its standard deviation in px where the guide is flat (σ_s); ``contrast``: the change of the guide,
    summed over the channels, that counts as much (σ_r).
    """
    steps = []
    for axis in (1, 0):
        change = np.abs(np.diff(guide, axis=axis, prepend=np.take(guide, [0], axis=axis))).sum(axis=2)
        steps.append(1 + reach / contrast * change)
    smooth = image
    for number in range(rounds):
        deviation = reach * 3**0.5 * 2 ** (rounds - number - 1) / (4**rounds - 1) ** 0.5
        base = np.exp(-(2**0.5) / deviation)
        smooth = _recursive(smooth, (base ** steps[0]).astype(np.float32))
        turned = _recursive(smooth.transpose(1, 0, 2), (base ** steps[1]).astype(np.float32).T)
        smooth = turned.transpose(1, 0, 2)
    return np.asarray(smooth, np.float32)


def by_domain_transform(sparse: Floats, weight: Floats, guide: Floats, reach: float, contrast: float) -> Floats:
    """Spread by normalised convolution along the guide, H×W: ``domain_transform`` of both map and weight."""
    both = domain_transform(np.stack([sparse * weight, weight], axis=2), guide, reach, contrast)
    mean = float((sparse * weight).sum() / max(float(weight.sum()), 1e-6))
    return np.asarray((both[..., 0] + 1e-9 * mean) / (both[..., 1] + 1e-9), np.float32)
