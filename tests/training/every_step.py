"""Trains stage s1 as one of torchrun's processes, or alone, and writes the loss of every step.

    python every_step.py BUILD OUT PARAMS…

For each file of parameters: OUT/NAME-RANK.json.
"""

import json
import os
import sys
from pathlib import Path

from sftdec.params import load_params
from sftdec.training import loop
from sftdec.training.distributed import joined
from sftdec.training.run import train_sft_dec
from sftdec.training.schedule import STAGES

loop.LOG_EVERY = 1
build, out, *sources = map(Path, sys.argv[1:])
out.mkdir(exist_ok=True)
with joined("cpu", os.environ) as group:
    for source in sources:
        losses: list[float] = []

        def report(step, metrics, losses=losses):
            losses.append(metrics["loss"])

        train_sft_dec(STAGES["s1"], load_params(source), build, out / "checkpoints", report, group=group)
        (out / f"{source.stem}-{group.rank}.json").write_text(json.dumps(losses))
