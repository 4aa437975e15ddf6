"""The paper's losses, each a function bearing its equation's number.

N: batch; pictures N×3×H×W and maps N×1×H×W, values nominally 0..1. The paper writes norms; as
is usual they are taken as means over pixels, so that the weights λ don't depend on the crop's size.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sftdec.params import LossNorm, LossParams

_LEAST_MEAN = 1e-3  # of a map, in eq. 6: a picture without blur has mean 0


def defocus_map_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """L_dme, eq. 3: mean absolute difference of the maps."""
    return (estimate.float() - truth).abs().mean()


def deblurring_loss(deblurred: Tensor, sharp: Tensor) -> Tensor:
    """L_df, eq. 4: mean absolute difference of the pictures."""
    return (deblurred.float() - sharp).abs().mean()


def blur_weight(defocus: Tensor, each: bool = False) -> Tensor:
    """W_dm, eq. 6: the true maps divided by their mean, that of all or of ``each``, N×1×H×W; 1 where none has blur."""
    mean = defocus.mean((1, 2, 3), keepdim=True) if each else defocus.mean()
    return (defocus / mean.clamp_min(_LEAST_MEAN)).where(mean > _LEAST_MEAN, defocus.new_ones(()))


def weighted_deblurring_loss(deblurred: Tensor, sharp: Tensor, defocus: Tensor, norm: LossNorm = "pixel") -> Tensor:
    """L_wd, eq. 5: the mean over pixels of W_dm times the length of the difference's three channels, as DID-ANet's.

    W_dm is by the mean of all maps that are given, a batch or what one process computes at once of it. The other
    readings take squared differences, weighted before squaring (``square``) or after (``weighted_square``), and
    divide each map by its own mean.
    """
    difference = deblurred.float() - sharp
    if norm == "pixel":
        lengths = torch.linalg.vector_norm(difference, dim=1, keepdim=True)  # whose gradient is 0 where there is none
        return (blur_weight(defocus) * lengths).mean()  # type: ignore[no-any-return]
    weight = blur_weight(defocus, each=True)
    return (weight * difference).square().mean() if norm == "square" else (weight * difference.square()).mean()


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
        weighted_deblurring_loss(deblurred, sharp, defocus, weights.norm),
    )
    lambdas = (weights.lambda_1, weights.lambda_2, weights.lambda_3)
    total = torch.stack([weight * term for weight, term in zip(lambdas, terms, strict=True) if weight]).sum()
    return Losses(total, *(term.detach() for term in terms))
