"""Results as the evaluate stage writes them, and rules as params.yaml gives them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sftdec.params import GateParams


def table(
    psnr: Sequence[float],
    blurred: Sequence[float] | None = None,
    scenes: Sequence[str] | None = None,
    ssim: Sequence[float] | float = 0.8,
    datasets: Sequence[str] | str = "sample",
) -> pd.DataFrame:
    values = {
        "dataset": datasets,
        "scene": list(scenes or [f"{number:03}" for number in range(len(psnr))])[: len(psnr)],
        "psnr": list(psnr),
        "psnr_blurred": list(blurred or [20.0] * len(psnr)),
        "ssim": ssim,
        "ssim_blurred": 0.8,
    }
    return pd.DataFrame(values)


def rules(min_gain: float = 0.0, **changes: Any) -> GateParams:
    return GateParams(min_gain=min_gain, **changes)
