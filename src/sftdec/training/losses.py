"""The paper's losses, each a function bearing its equation's number.

N: batch; pictures N×3×H×W and maps N×1×H×W, values nominally 0..1. The paper writes norms; as
is usual they are taken as means over pixels, so that the weights λ don't depend on the crop's size.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sftdec.params import LossParams

_LEAST_MEAN = 1e-3  # of a map, in eq. 6: a picture without blur has mean 0


def defocus_map_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """L_dme, eq. 3: mean absolute difference of the maps."""
    return (estimate.float() - truth).abs().mean()


def deblurring_loss(deblurred: Tensor, sharp: Tensor) -> Tensor:
    """L_df, eq. 4: mean absolute difference of the pictures."""
    return (deblurred.float() - sharp).abs().mean()


def blur_weight(defocus: Tensor) -> Tensor:
    """W_dm, eq. 6: each true map divided by its own mean, N×1×H×W; 1 everywhere where there is no blur at all."""
    mean = defocus.mean((1, 2, 3), keepdim=True)
    return (defocus / mean.clamp_min(_LEAST_MEAN)).where(mean > _LEAST_MEAN, defocus.new_ones(()))


def weighted_deblurring_loss(deblurred: Tensor, sharp: Tensor, defocus: Tensor, square_weight: bool = True) -> Tensor:
    """L_wd, eq. 5: mean of the squared differences, weighted by the true blur before squaring or after."""
    weight, difference = blur_weight(defocus), deblurred.float() - sharp
    return (weight * difference).square().mean() if square_weight else (weight * difference.square()).mean()


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
    terms = (
        defocus_map_loss(estimate, defocus),
        deblurring_loss(deblurred, sharp),
        weighted_deblurring_loss(deblurred, sharp, defocus, weights.square_weight),
    )
    lambdas = (weights.lambda_1, weights.lambda_2, weights.lambda_3)
    total = torch.stack([weight * term for weight, term in zip(lambdas, terms, strict=True) if weight]).sum()
    return Losses(total, *(term.detach() for term in terms))
