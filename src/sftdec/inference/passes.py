"""The passes that deblur a picture part by part, as functions of tensors alone.

N: batch; H, W: a part's pixels; h, w: H, W divided by the stem; D: condition features.
"""

import torch
from torch import Tensor, nn

from sftdec.networks import SFTDec, pooled


class MapPass(nn.Module):
    """The defocus map of a part."""

    def __init__(self, network: SFTDec) -> None:
        super().__init__()
        self.defocus_map_estimation = network.defocus_map_estimation

    def forward(self, blurred: Tensor) -> Tensor:
        """N×3×H×W → N×1×H×W, not clipped."""
        return self.defocus_map_estimation(blurred)  # type: ignore[no-any-return]


class ConditionSum(nn.Module):
    """What a part adds to the mean of the condition over the whole picture."""

    def __init__(self, network: SFTDec) -> None:
        super().__init__()
        self.condition = network.condition

    def forward(self, guide: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Map N×1×H×W → the sums over the rows and columns that count, N×D in float64.

        ``rows`` h and ``columns`` w are 1 where they count and 0 in the halo. A row is summed in float32, whose error
        over a thousand numbers is far below theirs; in float64 the condition would be twice as large.
        """
        assert self.condition is not None
        condition = self.condition(guide).float()  # N×D×h×w
        in_rows: Tensor = (condition * columns).sum(3)  # N×D×h
        return (in_rows.double() * rows).sum(2)


class LocalMeans(nn.Module):
    """The means over windows that local pooling starts its channel parts from."""

    def __init__(self, network: SFTDec, window: int) -> None:
        super().__init__()
        self.condition, self.window = network.condition, window

    def forward(self, guide: Tensor) -> Tensor:
        """Map N×1×H×W → N×D×h×w."""
        assert self.condition is not None
        condition = self.condition(guide)
        means = pooled(condition, self.window)
        return means.expand_as(condition)


class DeblurPass(nn.Module):
    """A part of the deblurred picture."""

    def __init__(self, network: SFTDec) -> None:
        super().__init__()
        self.network = network

    def forward(self, blurred: Tensor, guide: Tensor, mean: Tensor | None = None) -> Tensor:
        """Picture N×3×H×W, map N×1×H×W and mean N×D×1×1 or N×D×h×w → N×3×H×W, not clipped.

        Networks without a channel part need no mean.
        """
        return self.network.deblur(blurred, guide, mean)


def inside(start: int, stop: int, length: int, device: torch.device) -> Tensor:
    """``ConditionSum``'s rows or columns: 1 from ``start`` to ``stop``, 0 elsewhere; float32."""
    counted = torch.zeros(length, device=device)
    counted[start:stop] = 1
    return counted
