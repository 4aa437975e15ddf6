"""How each network of the comparison is taught: SFT-Dec in its stages, the others by their recipes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sftdec.experiments.comparison import OURS, Comparison, PartParams, Trained
from sftdec.params import Params, StageParams
from sftdec.peers import RECIPES, Recipe
from sftdec.training import STAGES, Objective, PeerObjective, Stage

_WARM_UP = 50  # steps of the short schedule, at most a tenth of all
_LOOKS = 8  # at the validation photos, in a training's part


def objectives(comparison: Comparison, params: Params, trained: Trained) -> Iterator[Objective]:
    """How each part of a model's training is taught, in order; lengths are those of the budget.

    Every part keeps its last weights, averaged as ``params.train.common`` says; ``params`` also has the batch, the
    crop, the threads, and all that SFT-Dec's stages are trained by.
    """
    common = params.train.common.model_copy(update={"seed": comparison.seed})
    for name, steps in comparison.steps_of(trained.model, trained.budget).items():
        warm_up = min(_WARM_UP, steps // 10)
        looked: dict[str, Any] = {
            "steps": steps,
            "epochs": None,
            "validate_every": max(1, steps // _LOOKS),
            "keep": "last",
            "patience": None,
            "pictures_every": None,
        }
        if trained.model == OURS:
            own: StageParams = getattr(params.train, name)
            changed = {**own.model_dump(), **looked, "warm_up": min(own.warm_up, warm_up)}
            yield Objective(_named(STAGES[name], trained), StageParams.model_validate(changed), common)
            continue
        recipe = next(each for each in RECIPES[trained.model] if each.name == name)
        if comparison.schedule == "short":
            recipe = _short(recipe, comparison.models[trained.model][name], warm_up / steps, common.gradient_clip)
        stage = _named(Stage(name, guided_by_truth=False, after=recipe.after), trained)
        length = {**params.train.s2.model_dump(), **looked, "warm_up": 0, "detach_map": True}
        clipped = common.model_copy(update={"gradient_clip": recipe.gradient_clip})
        yield PeerObjective(stage, StageParams.model_validate(length), clipped, recipe)


def _named(stage: Stage, trained: Trained) -> Stage:
    """The stage with a name of its own among the checkpoints."""
    return replace(stage, name=f"{trained.model}-{trained.budget}-{stage.name}")


def _short(recipe: Recipe, part: PartParams, warm_up: float, clip: float | None) -> Recipe:
    """A recipe for a training of minutes: published rates are meant for hundreds of thousands of steps."""
    assert part.learning_rate is not None
    return replace(
        recipe,
        learning_rate=part.learning_rate,
        final_learning_rate=0.0,
        decay="cosine",
        warm_up=warm_up,
        gradient_clip=recipe.gradient_clip or clip,
    )
