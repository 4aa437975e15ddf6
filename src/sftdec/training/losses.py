"""The paper's losses, each a function bearing its equation's number.

N: batch; pictures N×3×H×W and maps N×1×H×W, values nominally 0..1. The paper writes norms; as
is usual they are taken as means over pixels, so that the weights λ don't depend on the crop's size.
"""

from typing import NamedTuple

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


def weighted_deblurring_loss(deblurred: Tensor, sharp: Tensor, defocus: Tensor) -> Tensor:
    """L_wd, eq. 5: mean of the squared differences, weighted (before squaring) by the true blur."""
    return (blur_weight(defocus) * (deblurred.float() - sharp)).square().mean()


class Losses(NamedTuple):
    """The terms (scalars), and their weighted sum ``total``."""

    total: Tensor
    dme: Tensor
    df: Tensor
    wd: Tensor


def joint_loss(deblurred: Tensor, estimate: Tensor, sharp: Tensor, defocus: Tensor, weights: LossParams) -> Losses:
    """Loss_1, eq. 7: λ1·L_dme + λ2·L_df, of stages one and two and of end-to-end training."""
    dme, df = defocus_map_loss(estimate, defocus), deblurring_loss(deblurred, sharp)
    wd = weighted_deblurring_loss(deblurred.detach(), sharp, defocus)
    return Losses(weights.lambda_1 * dme + weights.lambda_2 * df, dme, df, wd)


def fine_tuning_loss(
    deblurred: Tensor, estimate: Tensor, sharp: Tensor, defocus: Tensor, weights: LossParams
) -> Losses:
    """Loss_2, eq. 8: λ2·L_df + λ3·L_wd, of stage three."""
    dme, df = defocus_map_loss(estimate.detach(), defocus), deblurring_loss(deblurred, sharp)
    wd = weighted_deblurring_loss(deblurred, sharp, defocus)
    return Losses(weights.lambda_2 * df + weights.lambda_3 * wd, dme, df, wd)
