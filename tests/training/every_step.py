"""Trains stage s1 as one of torchrun's processes, or alone, and writes the loss of every step.

python every_step.py PARAMS BUILD OUT
"""

import json
import os
import sys
from pathlib import Path

from sftdec.params import load_params
from sftdec.training import loop
from sftdec.training.distributed import joined
from sftdec.training.run import run_training
from sftdec.training.schedule import STAGES

source, build, out = map(Path, sys.argv[1:4])
loop.LOG_EVERY = 1
params = load_params(source)
losses = []
with joined(params.train.common.device, os.environ) as group:
    run_training(
        STAGES["s1"],
        params,
        build,
        out.with_suffix(".checkpoints"),
        lambda step, metrics: losses.append(metrics["loss"]),
        group=group,
    )
    (out.parent / f"{out.name}-{group.rank}.json").write_text(json.dumps(losses))
