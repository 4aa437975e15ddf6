"""The stages of sec. 3.4 and the learning rate along one of them."""

import math
from dataclasses import dataclass

from sftdec.params import StageParams


@dataclass(frozen=True)
class Stage:
    """One stage: what guides the deblurring network, and which stage's weights it starts from."""

    name: str
    guided_by_truth: bool
    after: str | None


STAGES = {
    stage.name: stage
    for stage in (
        Stage("s1", guided_by_truth=True, after=None),  # avoids the divergence of a random map
        Stage("s2", guided_by_truth=False, after="s1"),
        Stage("s3", guided_by_truth=False, after="s2"),
        Stage("end_to_end", guided_by_truth=False, after=None),  # table 3's "-end"
    )
}


def total_steps(params: StageParams, scenes: int, batch_size: int) -> int:
    """Steps of a stage: as given, or its epochs, each of which shows ``scenes`` scenes once."""
    if params.steps is not None:
        return params.steps
    assert params.epochs is not None
    return max(1, math.ceil(params.epochs * scenes / batch_size))


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
