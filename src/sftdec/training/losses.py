"""The paper's losses, each a function bearing its equation's number.

N: batch; pictures N×3×H×W and maps N×1×H×W, values nominally 0..1. The paper writes norms; as is usual they are taken
as means, of values (eq. 3 and 4) or pixels (eq. 5), so that the weights λ don't depend on the crop's size.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sftdec.params import LossNorm, LossParams

_LEAST_MEAN = 1e-3  # of a map, in eq. 6: one of a picture without blur has mean 0


def defocus_map_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """L_dme, eq. 3: mean absolute difference of the maps."""
    return (estimate.float() - truth).abs().mean()


def deblurring_loss(deblurred: Tensor, sharp: Tensor) -> Tensor:
    """L_df, eq. 4: mean absolute difference of the pictures."""
    return (deblurred.float() - sharp).abs().mean()


def blur_weight(defocus: Tensor, each: bool = False) -> Tensor:
    """W_dm, eq. 6: the true maps divided by their mean, that of all or of ``each``, N×1×H×W.

    1 where that mean is 0.001 at most: there is next to no blur then to be weighted by.
    """
    mean = defocus.mean((1, 2, 3), keepdim=True) if each else defocus.mean()
    return torch.where(mean > _LEAST_MEAN, defocus / mean, 1.0)


def weighted_deblurring_loss(deblurred: Tensor, sharp: Tensor, defocus: Tensor, norm: LossNorm = "pixel") -> Tensor:
    """L_wd, eq. 5: the mean over pixels of W_dm times the length of the difference's three channels, as DID-ANet's.

    W_dm is by the mean of all maps that are given, a batch or what one process computes at once of it. The other
    readings take squared differences, weighted before squaring (``square``) or after (``weighted_square``), and
    divide each map by its own mean.
    """
    difference = deblurred.float() - sharp
    if norm == "pixel":
        weighted = blur_weight(defocus) * torch.linalg.vector_norm(difference, dim=1, keepdim=True)
    elif norm == "square":
        weighted = (blur_weight(defocus, each=True) * difference).square()
    else:
        weighted = blur_weight(defocus, each=True) * difference.square()
    return weighted.mean()  # type: ignore[no-any-return]


class Losses(NamedTuple):
    """The weighted sum ``total``, through which the gradient flows, and its terms (scalars), to look at."""

    total: Tensor
    dme: Tensor
    df: Tensor
    wd: Tensor


def stage_loss(deblurred: Tensor, estimate: Tensor, sharp: Tensor, defocus: Tensor, weights: LossParams) -> Losses:
    """λ1·L_dme + λ2·L_df + λ3·L_wd: Loss_1, eq. 7, where λ3 is 0 and Loss_2, eq. 8, where λ1 is 0.

    A term of weight 0 is still measured, but no gradient flows through it.
    """
    l_dme = defocus_map_loss(estimate, defocus)
    l_df = deblurring_loss(deblurred, sharp)
    l_wd = weighted_deblurring_loss(deblurred, sharp, defocus, weights.norm)
    weighted = ((weights.lambda_1, l_dme), (weights.lambda_2, l_df), (weights.lambda_3, l_wd))
    total = torch.stack([weight * term for weight, term in weighted if weight]).sum()
    return Losses(total, l_dme.detach(), l_df.detach(), l_wd.detach())
