"""The mean that a channel part starts from: over the whole picture, or at test time over a window around each place.

A network that is trained on crops meets means over crops. Test-time local converter (TLC; Chu et al., "Improving image
restoration by revisiting global information aggregation", ECCV 2022) gives it such means on whole pictures too.

N: batch; C: channels; H, W: feature map.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad


def pooled(features: Tensor, window: int | None = None) -> Tensor:
    """The mean of N×C×H×W: N×C×1×1, or N×C×H×W over ``window``×``window`` pixels around each pixel.

    A window reaches (window - 1) // 2 pixels up and left of its own. Where it would leave the picture, the nearest
    whole window's mean stands, as in TLC. A side that is longer than the picture's is cut to it; where both are, the
    mean is that of the whole picture.
    """
    height, width = features.shape[2:]
    if window is None or (window >= height and window >= width):
        return features.mean((2, 3), keepdim=True)
    rows, columns = min(window, height), min(window, width)
    # one channel at a time: in float64, which differences of long sums need, all of them would be large
    channels = features.chunk(features.shape[1], dim=1)
    means = torch.cat([_box_means(channel, rows, columns) for channel in channels], dim=1)
    left, above = (columns - 1) // 2, (rows - 1) // 2
    return pad(means, (left, columns - 1 - left, above, rows - 1 - above), mode="replicate")


def _box_means(channel: Tensor, rows: int, columns: int) -> Tensor:
    """N×1×H×W → N×1×(H - rows + 1)×(W - columns + 1), the means of all whole boxes, from an integral image."""
    sums = pad(channel.double(), (1, 0, 1, 0)).cumsum(2).cumsum(3)
    strips = sums[:, :, rows:] - sums[:, :, :-rows]
    return ((strips[..., columns:] - strips[..., :-columns]) / (rows * columns)).to(channel.dtype)
