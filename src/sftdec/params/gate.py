"""The section ``gate`` of params.yaml: what makes a champion."""

from typing import Annotated, Literal

from pydantic import Field

from sftdec.params.fields import NonNegative, Section


class GateParams(Section):
    """What a challenger must show, and what the gate lets pass."""

    min_gain: float  # dB of mean PSNR over the champion (a first version: the blurred input), as the interval's low end
    max_loss: NonNegative = 0.1  # dB of mean PSNR that a data set of its own may lose
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.99  # of the gain's interval; see evaluation/statistics.py
    tolerance: NonNegative = 0.01  # dB between a version's registered PSNR and the same evaluation now; SSIM: a tenth
    allow_dirty: bool = False  # a version that no clean commit stands for may serve
    on_new_data: Literal["refuse", "rebase"] = "refuse"  # the champion was measured on other photos than there are now
    promote: bool = True  # false: the gate decides and says so, but who serves stays
