"""What computes a part of a picture: a protocol, and PyTorch as one that keeps it."""

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sftdec.devices import Precision, autocast
from sftdec.inference.passes import ConditionSum, DeblurPass, LocalMeans, MapPass, inside
from sftdec.inference.receptive_field import Reach, measure_reach
from sftdec.networks import SFTDec

Floats = NDArray[np.float32]


class Runtime(Protocol):
    """Computes parts of a picture; what parts, and how they fit together, is ``tiling``'s.

    Arrays are float32 of one picture, 1×C×H×W, maybe views in another order; H and W are multiples of the stem.
    Calls come one at a time.
    """

    reach: Reach  # how far each pass sees, the stem, and what is pooled
    sigma_max: float  # px that a map's 1.0 stands for
    bytes_per_pixel: float  # memory that the costliest pass takes for each pixel of a part, beside its input

    def estimate_map(self, blurred: Floats) -> Floats:
        """Part of the picture 1×3×H×W in 0..1 → its map 1×1×H×W, not clipped."""
        ...

    def sum_condition(self, guide: Floats, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Part of the map 1×1×H×W → the condition's sums D over rows and columns (of features) that count."""
        ...

    def local_means(self, guide: Floats) -> Floats:
        """Part of the map 1×1×H×W → the condition's means over windows, 1×D×h×w; where ``reach.window`` is set."""
        ...

    def deblur(self, blurred: Floats, guide: Floats, mean: Floats | None) -> Floats:
        """Parts 1×3×H×W and 1×1×H×W → deblurred 1×3×H×W, not clipped.

        ``mean`` is 1×D×1×1 or 1×D×h×w, and None where ``reach.pools`` is false.
        """
        ...


class TorchRuntime:
    """PyTorch on a CPU or a CUDA device; the network must be there already, in evaluation mode."""

    def __init__(self, network: SFTDec, device: torch.device, precision: Precision) -> None:
        self.network, self.device, self.precision = network, device, precision
        self.reach, self.sigma_max = measure_reach(network), network.config.sigma_max
        self.bytes_per_pixel = 0.0
        self._map, self._sum, self._deblur = MapPass(network), ConditionSum(network), DeblurPass(network)
        self._means = None if self.reach.window is None else LocalMeans(network, self.reach.window)

    def estimate_map(self, blurred: Floats) -> Floats:
        """Part of the picture → its map."""
        with torch.inference_mode(), self._autocast():
            return _array(self._map(self._tensor(blurred)))

    def sum_condition(self, guide: Floats, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Part of the map → the condition's sums over the rows and columns that count."""
        height, width = (side // self.reach.stem for side in guide.shape[2:])
        with torch.inference_mode(), self._autocast():
            counted = (
                inside(rows.start, rows.stop, height, self.device),
                inside(columns.start, columns.stop, width, self.device),
            )
            return np.asarray(self._sum(self._tensor(guide), *counted)[0].cpu().numpy(), np.float64)

    def local_means(self, guide: Floats) -> Floats:
        """Part of the map → the condition's means over windows."""
        assert self._means is not None
        with torch.inference_mode(), self._autocast():
            return _array(self._means(self._tensor(guide)))

    def deblur(self, blurred: Floats, guide: Floats, mean: Floats | None) -> Floats:
        """Part of the picture and of the map, and the mean → the deblurred part."""
        pooled = None if mean is None else self._tensor(mean)
        with torch.inference_mode(), self._autocast():
            return _array(self._deblur(self._tensor(blurred), self._tensor(guide), pooled))

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.device, self.precision)

    def _tensor(self, part: Floats) -> Tensor:
        return torch.from_numpy(part).to(self.device).contiguous(memory_format=torch.channels_last)


def _array(part: Tensor) -> Floats:
    return np.asarray(part.float().cpu().numpy(), np.float32)
