"""The stages of sec. 3.4: what guides each, what it reads and leaves, how long it takes, and its learning rate.

Length, rate and the λ of each one's loss stand in ``train.STAGE`` of the parameters; the paper's are params.paper.yaml:

    stage       guided by     loss           epochs
    s1          the true map  Loss_1, eq. 7  400     avoids the divergence of a random map
    s2          the estimate  Loss_1, eq. 7  200
    s3          the estimate  Loss_2, eq. 8  400
    end_to_end  the estimate  Loss_1, eq. 7  1,000   table 3's "-end"
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sftdec.params import ParamsError, StageParams


@dataclass(frozen=True)
class Stage:
    """One stage: what guides the deblurring network, and which stage's weights it starts from.

    ``number`` of the stages before: it draws its crops otherwise than those did, or it would only repeat them.
    """

    name: str
    guided_by_truth: bool
    after: str | None
    number: int = 0

    def seed(self, seed: int) -> int:
        """What its crops are drawn by, in a training of this seed."""
        return int(np.random.SeedSequence([seed, self.number]).generate_state(1)[0]) if self.number else seed

    def inputs(self, build: Path) -> list[Path]:
        """What it reads: scenes (for validation), patches, and the weights of the stage before."""
        before = [] if self.after is None else [weights_path(build, self.after)]
        return [build / "scenes", build / "patches", *before]


STAGES = {
    stage.name: stage
    for stage in (
        Stage("s1", guided_by_truth=True, after=None),
        Stage("s2", guided_by_truth=False, after="s1", number=1),
        Stage("s3", guided_by_truth=False, after="s2", number=2),
        Stage("end_to_end", guided_by_truth=False, after=None),
    )
}


def weights_path(build: Path, stage: str) -> Path:
    """Where a stage's weights lie."""
    return build / "models" / f"{stage}.safetensors"


def total_steps(params: StageParams, scenes: int, batch_size: int) -> int:
    """Steps of a stage: as given, or its epochs, each of which shows ``scenes`` scenes once.

    Raises:
        ParamsError: the epochs are over before the warm-up is.
    """
    if params.steps is not None:
        return params.steps
    assert params.epochs is not None
    steps = max(1, math.ceil(params.epochs * scenes / batch_size))
    if params.warm_up >= steps:
        made = f"{params.epochs:g} epochs of {scenes} scenes, {batch_size} a step"
        raise ParamsError(f"warm_up: found {params.warm_up}, expected fewer than {steps} steps ({made})")
    return steps


def learning_rate(step: int, steps: int, params: StageParams) -> float:
    """The rate of step 0 ≤ ``step`` < ``steps``: linear warm-up, then constant, or falling to the final rate in stairs
    or along half a cosine.
    """
    if step < params.warm_up:
        return params.learning_rate * (step + 1) / (params.warm_up + 1)
    if params.decay == "none":
        return params.learning_rate
    if params.decay == "step":
        assert params.decay_every is not None
        stairs = params.decay_factor ** ((step - params.warm_up) // params.decay_every)
        return max(params.final_learning_rate, params.learning_rate * stairs)
    share = (step - params.warm_up) / max(1, steps - params.warm_up)
    fall = 0.5 * (1 + math.cos(math.pi * share))
    return params.final_learning_rate + (params.learning_rate - params.final_learning_rate) * fall
