"""From a photo to an all-in-focus photo and its defocus map."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sftdec.inference.levels import as_values, check_image
from sftdec.networks import SFTDec
from sftdec.runtime import Precision, autocast

if TYPE_CHECKING:
    from sftdec.peers import AnyPeer


@torch.inference_mode()
def deblur_array(
    network: "SFTDec | AnyPeer",
    image: NDArray[np.generic],
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Deblur one sRGB picture H×W×3: uint8, uint16, or float in 0..1; H and W of 16 px or more.

    ``network`` must already be on ``device``.

    Returns:
        The all-in-focus picture, float32 H×W×3 in 0..1, and the defocus map, float32 H×W in 0..1
        (sigma in units of ``network.config.sigma_max`` px); NaN throughout where the network estimates none.

    Raises:
        PhotoError: another shape or type, a picture that is too small, or values that are NaN or infinite.
    """
    check_image(image)
    device = torch.device(device)
    blurred = torch.from_numpy(as_values(image)).to(device)
    with autocast(device, precision):
        restored = network(blurred.contiguous(memory_format=torch.channels_last))
    deblurred = restored.deblurred[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    if restored.defocus is None:  # a peer without a map
        return np.ascontiguousarray(deblurred), np.full(deblurred.shape[:2], np.nan, np.float32)
    defocus = restored.defocus[0, 0].float().clamp(0, 1).cpu().numpy()
    return np.ascontiguousarray(deblurred), np.ascontiguousarray(defocus)
