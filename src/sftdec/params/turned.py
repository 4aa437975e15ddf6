"""How much room a crop needs that is turned."""

import numpy as np

SUPPORT = 4  # px beside a place that a picture's kernel (Lanczos, a = 4) looks at


def half_extent(crop: int, angle: float) -> float:
    """How far (px, along x or y) a pixel of a square of ``crop`` px turned by ``angle`` (radians) is off its centre."""
    return (crop - 1) / 2 * float(abs(np.cos(angle)) + abs(np.sin(angle)))


def largest_extent(crop: int, rotation: float) -> int:
    """Side (px) of the smallest picture that holds a square of ``crop`` px turned by up to ``rotation`` degrees, and
    what its interpolation looks at.
    """
    if rotation == 0:
        return crop
    return int(np.ceil(2 * half_extent(crop, np.deg2rad(min(rotation, 45.0))) - 1e-9)) + 1 + 2 * SUPPORT
