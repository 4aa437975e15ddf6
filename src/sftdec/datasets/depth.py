"""Depth for photos: measured disparity, or a model of a scene."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sftdec.runtime import DataError

DepthModel = Literal["plane", "ramp", "cutout", "relief", "disparity", "layers"]
DEPTH_MODELS: tuple[str, ...] = get_args(DepthModel)

# Middlebury 2014 "Motorcycle" at a quarter of its size: focal length (px), baseline (mm), difference of the
# principal points (px), as scikit-image's documentation of stereo_motorcycle gives them.
_MOTORCYCLE_CAMERA = (994.978, 193.001, 31.086)


def model_depth(
    model: DepthModel, size: tuple[int, int], near_m: float, far_m: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Depth in m, H×W, between ``near_m`` and ``far_m``: even steps in inverse depth are even steps in blur.

    - ``plane``: one random distance, parallel to the sensor
    - ``ramp``: a plane that recedes across the picture, nearest below or at a side
    - ``cutout``: one to three rounded things, each at its own distance, before a receding ground
    - ``relief``: a smooth random landscape
    """
    height, width = size
    y, x = np.mgrid[:height, :width]
    if model == "plane":
        share = np.full(size, generator.random())
    elif model == "ramp":
        share = _ramp(y / max(1, height - 1), x / max(1, width - 1), generator)
    elif model == "cutout":
        share = 0.35 * _ramp(y / max(1, height - 1), x / max(1, width - 1), generator)
        for _ in range(generator.integers(1, 4)):
            blob = _smooth_field(size, 0.12, generator) > generator.uniform(0.55, 0.75)
            share = np.where(blob, np.maximum(share, generator.uniform(0.45, 1)), share)
    else:
        share = _smooth_field(size, 0.18, generator)
    return np.asarray(1 / (share / near_m + (1 - share) / far_m), np.float64)


def _ramp(y: NDArray[np.float64], x: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """0..1 across the picture, mostly from the top (far) to the bottom (near), tilted by up to 60°."""
    angle = generator.uniform(-np.pi / 3, np.pi / 3)
    slope = (y - 0.5) * np.cos(angle) + (x - 0.5) * np.sin(angle)
    low, high = slope.min(), slope.max()
    return np.asarray((slope - low) / (high - low if high > low else 1))


def _smooth_field(size: tuple[int, int], scale: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Smooth random values stretched to 0..1; ``scale`` is the grain as a share of the shorter side."""
    field = ndimage.gaussian_filter(generator.standard_normal(size), scale * min(size), mode="reflect")
    low, high = field.min(), field.max()
    return np.asarray((field - low) / (high - low if high > low else 1))


def disparity_depth(disparity: NDArray[np.float32], photo_size: tuple[int, int], name: str) -> NDArray[np.float64]:
    """Depth in m from a measured disparity (px, 0 = unknown), H×W; holes take the nearest known value.

    The camera is that of the one measured scene that ships (motorcycle).

    Raises:
        DataError: a disparity of another size than the photo, or with nothing known.
    """
    if disparity.shape != photo_size:
        raise DataError(
            f"{name}: the disparity is {disparity.shape[1]}×{disparity.shape[0]} px and the photo "
            f"{photo_size[1]}×{photo_size[0]}: both must be of one size"
        )
    known = disparity > 0
    if not known.any():
        raise DataError(f"{name}: the disparity has no known pixel (all are 0)")
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    focal_px, baseline_mm, offset_px = _MOTORCYCLE_CAMERA
    return np.asarray(focal_px * baseline_mm / (disparity[rows, columns].astype(np.float64) + offset_px) / 1000)
