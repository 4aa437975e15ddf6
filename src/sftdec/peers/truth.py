"""What a training compares with: all that SFT-Dec's shares with its peers'."""

from typing import NamedTuple

from torch import Tensor


class Truth(NamedTuple):
    """What a loss compares with: ``blurred`` and ``sharp`` N×3×H×W in 0..1, ``defocus`` N×1×H×W in 0..1."""

    blurred: Tensor
    sharp: Tensor
    defocus: Tensor
