"""How a network does on the validation photos while it trains, in figures and in a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sftdec.datasets import Scene
from sftdec.evaluation import psnr, ssim, to_uint8
from sftdec.params import CommonParams
from sftdec.runtime import autocast
from sftdec.training.distributed import Group
from sftdec.training.schedule import Stage

if TYPE_CHECKING:
    from sftdec.peers import AnyNetwork

FIGURES = ("validation_psnr", "validation_ssim", "validation_mae")
PICTURED = 2  # photos of a validation picture


def _restored(
    network: "AnyNetwork", scene: Scene, stage: Stage, common: CommonParams
) -> tuple[NDArray[np.uint8], Tensor]:
    """The deblurred picture H×W×3 and the map H×W in 0..1, which is no numbers of a network that estimates none."""
    device = next(network.parameters()).device
    blurred = torch.from_numpy(scene.blurred.copy()).permute(2, 0, 1)[None].to(device).float() / 255
    guide = torch.from_numpy(scene.defocus)[None, None].to(device) if stage.guided_by_truth else None
    with torch.no_grad(), autocast(device, common.precision):
        made = network(blurred.contiguous(memory_format=torch.channels_last), guide)
    picture = to_uint8(made.deblurred[0].float().permute(1, 2, 0).cpu().numpy())
    if made.defocus is None:
        return picture, torch.full(scene.defocus.shape, torch.nan)
    return picture, made.defocus[0, 0].float().clamp(0, 1).cpu()


def validate(
    network: "AnyNetwork", scenes: Sequence[Scene], stage: Stage, common: CommonParams, group: Group
) -> dict[str, float]:
    """Means over the validation photos, guided as in this stage: PSNR (dB), SSIM, and the maps' absolute error,
    which is no number of a network that estimates none.

    The photos are shared among the group's processes; each gets the same means.
    """
    found = []
    for scene in group.share(scenes):
        picture, estimate = _restored(network, scene, stage, common)
        error = (estimate - torch.from_numpy(scene.defocus)).abs().mean()
        found.append((psnr(picture, scene.sharp), ssim(picture, scene.sharp), float(error)))
    means = np.mean(group.gathered(found, len(scenes)), axis=0)
    return {key: float(mean) for key, mean in zip(FIGURES, means, strict=True)}


def validation_picture(
    network: "AnyNetwork", scenes: Sequence[Scene], stage: Stage, common: CommonParams
) -> NDArray[np.uint8]:
    """The first validation photos, a row each: blurred, deblurred, sharp, estimated map; uint8 H×W×3."""
    rows = []
    for scene in scenes[:PICTURED]:
        picture, estimate = _restored(network, scene, stage, common)
        level = to_uint8(np.nan_to_num(estimate.numpy()))
        rows.append(np.hstack([scene.blurred, picture, scene.sharp, np.repeat(level[..., None], 3, axis=2)]))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
