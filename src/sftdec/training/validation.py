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
    from sftdec.networks import Restoration
    from sftdec.peers import AnyNetwork, Restored

FIGURES = ("validation_psnr", "validation_ssim", "validation_mae")
PICTURED = 2  # photos of a validation picture


def _restore(network: "AnyNetwork", scene: Scene, stage: Stage, common: CommonParams) -> "Restoration | Restored":
    device = next(network.parameters()).device
    blurred = torch.from_numpy(scene.blurred.copy()).permute(2, 0, 1)[None].to(device).float() / 255
    guide = torch.from_numpy(scene.defocus)[None, None].to(device) if stage.guided_by_truth else None
    with torch.no_grad(), autocast(device, common.precision):
        restored: Restoration | Restored = network(blurred.contiguous(memory_format=torch.channels_last), guide)
    return restored


def _pixels(restored: "Restoration | Restored") -> NDArray[np.uint8]:
    return to_uint8(restored.deblurred[0].float().permute(1, 2, 0).cpu().numpy())


def _map(restored: "Restoration | Restored", scene: Scene) -> Tensor:
    """The estimated map, H×W in 0..1; no numbers of a network that estimates none."""
    if restored.defocus is None:
        return torch.full(scene.defocus.shape, torch.nan)
    return restored.defocus[0, 0].float().clamp(0, 1).cpu()


def validate(
    network: "AnyNetwork", scenes: Sequence[Scene], stage: Stage, common: CommonParams, group: Group
) -> dict[str, float]:
    """Means over the validation photos, guided as in this stage: PSNR (dB), SSIM, and the maps' absolute error,
    which is no number of a network that estimates none.

    The photos are shared among the group's processes; each gets the same means.
    """
    found = []
    for scene in group.share(scenes):
        restored = _restore(network, scene, stage, common)
        picture, estimate = _pixels(restored), _map(restored, scene)
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
        restored = _restore(network, scene, stage, common)
        level = to_uint8(np.nan_to_num(_map(restored, scene).numpy()))
        rows.append(np.hstack([scene.blurred, _pixels(restored), scene.sharp, np.repeat(level[..., None], 3, axis=2)]))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
