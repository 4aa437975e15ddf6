"""What computes a part of a picture: a protocol, and PyTorch as one that keeps it."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sftdec.inference.fused import FusedNetwork, can_fuse
from sftdec.inference.receptive_field import Reach, measure_reach
from sftdec.networks import SFTDec, pooled
from sftdec.params import NetworkConfig
from sftdec.runtime import Precision, autocast

Floats = NDArray[np.float32]
KEPT = 1.15  # times the counted memory; measured at paper size: 1.12 in fp32 (320² px), 1.0 in bf16 (640² px)


class RuntimeFailedError(RuntimeError):
    """A runtime that failed while it computed; the message names it, says what it said, and the mend."""


class Runtime(Protocol):
    """Computes parts of a picture; what parts, and how they fit together, is ``tiling``'s.

    Arrays are float32 of one picture, 1×C×H×W, maybe views in another order; H and W are multiples of the stem.
    Calls come one at a time.
    """

    reach: Reach  # how far each pass sees, the stem, and what is pooled
    sigma_max: float  # px that a map's 1.0 stands for
    map_bytes: float  # a pixel of a part, of the largest block of memory that is taken from the C library; 0: of none
    bytes_per_pixel: float  # memory of the costliest pass for each pixel of a part, what goes in and out included

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
    """PyTorch on a CPU or a CUDA device, where the network must be already, in evaluation mode.

    Its weights are brought into channels-last order: of them each convolution takes the order of what it makes, and
    orders that alternate cost nearly as much as the convolutions.
    """

    def __init__(self, network: SFTDec, device: torch.device, precision: Precision) -> None:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.device, self.precision = network, device, precision
        self.reach, self.sigma_max = measure_reach(network), network.config.sigma_max
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        fused = self.reach.window is None and can_fuse(network)
        self.parts: SFTDec | FusedNetwork = FusedNetwork(network, dtype) if fused else network
        self.bytes_per_pixel = bytes_per_pixel(network.config, precision, fused)
        widest = max(network.config.features, network.config.dme_features) / network.config.stem**2
        self.map_bytes = widest * dtype.itemsize if device.type == "cpu" else 0.0

    def estimate_map(self, blurred: Floats) -> Floats:
        """Part of the picture → its map."""
        with torch.inference_mode(), autocast(self.device, self.precision):
            return _array(self.parts.defocus_map_estimation(self._tensor(blurred)))

    def sum_condition(self, guide: Floats, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Part of the map → the condition's sums over the rows and columns that count.

        A row is summed in float32, whose error over a thousand numbers is far below theirs; in float64 the condition
        would be twice as large.
        """
        with torch.inference_mode(), autocast(self.device, self.precision):
            condition = self._condition(guide)[0, :, rows, columns].float()  # D×h×w
            return np.asarray(condition.sum(2).double().sum(1).cpu().numpy())

    def local_means(self, guide: Floats) -> Floats:
        """Part of the map → the condition's means over windows."""
        with torch.inference_mode(), autocast(self.device, self.precision):
            condition = self._condition(guide)
            return _array(pooled(condition, self.reach.window).expand_as(condition))

    def deblur(self, blurred: Floats, guide: Floats, mean: Floats | None) -> Floats:
        """Part of the picture and of the map, and the mean → the deblurred part."""
        pooled_mean = None if mean is None else self._tensor(mean)
        with torch.inference_mode(), autocast(self.device, self.precision):
            return _array(self.parts.deblur(self._tensor(blurred), self._tensor(guide), pooled_mean))

    def _condition(self, guide: Floats) -> Tensor:
        assert self.parts.condition is not None
        return self.parts.condition(self._tensor(guide))

    def _tensor(self, part: Floats) -> Tensor:
        return torch.from_numpy(part).to(self.device).contiguous(memory_format=torch.channels_last)


def _array(part: Tensor) -> Floats:
    return np.asarray(part.float().cpu().numpy(), np.float32)


def bytes_per_pixel(config: NetworkConfig, precision: Precision, fused: bool = False) -> float:
    """Memory that PyTorch takes for each pixel of a part in the costlier of map and deblurring.

    What lives at once, counted operation by operation: of a block its features, what is transformed, γ, 1 + γ, β and
    what comes out, six times ``features``; the condition, what β is made of, and the spatial part. ``fused``: the
    features, what is transformed, and what it becomes, beside the condition and spatial parts of all
    layers, four a block at most. An allocator keeps
    a little more (``KEPT``). Beside the network there are 60 bytes a pixel in float32.
    """
    maps, parts = (3, 4 * config.blocks) if fused else (6, 1)
    deblurring = maps * config.features + config.condition_features + config.sft_features + parts
    values = max(deblurring, maps * config.dme_features) / config.stem**2
    return KEPT * (2 if precision == "bf16" else 4) * values + 60
