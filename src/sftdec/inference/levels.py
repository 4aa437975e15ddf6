"""A picture's levels as a network's numbers, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.photos import BRIGHTEST, DARKEST, SMALLEST_SIDE, PhotoError

DIVERGED = "the model gives values that are no numbers: its weights have diverged; take another model"


def check_image(image: NDArray[Any]) -> None:
    """Refuse what is no picture H×W×3 of uint8, uint16, or float in 0..1.

    Raises:
        PhotoError: another shape or type, a picture that is too small, or values that are NaN, infinite or far from
            0..1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < SMALLEST_SIDE:
        wanted = f"expected H×W×3 with H, W of {SMALLEST_SIDE} px or more"
        raise PhotoError(f"found a picture of shape {image.shape}, {wanted}")
    if np.issubdtype(image.dtype, np.floating):
        if not all(np.isfinite(row).all() for row in image):  # by rows: an answer a value would be as large as it
            raise PhotoError("the picture holds NaN or infinite values")
        if (low := image.min()) < DARKEST or (high := image.max()) > BRIGHTEST:
            found = f"from {low:g}" if low < DARKEST else f"up to {high:g}"
            raise PhotoError(f"the picture holds floats {found}, expected 0 (black) to 1 (white); divide them first")
    elif image.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"found a picture of type {image.dtype}, expected uint8, uint16 or float in 0..1")


def as_values(image: NDArray[Any]) -> NDArray[np.float32]:
    """A picture H×W×3, or a part of it, as 1×3×H×W, float32 in 0..1."""
    integer = np.issubdtype(image.dtype, np.integer)
    values = image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max if integer else 1)
    return values.transpose(2, 0, 1)[None]


def as_levels(part: NDArray[np.float32], image_type: np.dtype[Any]) -> NDArray[Any]:
    """Values, nominally 0..1, clipped, and as a type has them: uint8's or uint16's levels, or float32 as they are.

    Raises:
        PhotoError: values that are no numbers.
    """
    clipped = np.clip(part, 0, 1)
    if not np.isfinite(clipped).all():
        raise PhotoError(DIVERGED)
    if image_type == np.float32:
        return clipped
    levels: NDArray[Any] = np.rint(clipped * np.float32(np.iinfo(image_type).max)).astype(image_type)
    return levels
