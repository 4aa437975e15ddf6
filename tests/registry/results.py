"""Results as the evaluate stage writes them."""

import pandas as pd


def table(psnr: list[float], blurred: list[float] | None = None, scenes: str = "abc") -> pd.DataFrame:
    names = list(scenes)[: len(psnr)]
    values = {
        "dataset": "sample",
        "scene": names,
        "psnr": psnr,
        "psnr_blurred": blurred or [20.0] * len(psnr),
    }
    return pd.DataFrame(values)
