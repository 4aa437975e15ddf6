"""The comparison of tables 1 and 2: which networks are trained, for how long and how, from its params.yaml.

Each network is trained from scratch on two budgets: ``equal_time`` gives each the same minutes of one machine, turned
into steps by what a step of it costs there, so that the same file always gives the same weights; ``equal_steps`` gives
each the same number of steps. A network whose training has several parts, such as SFT-Dec's three stages, takes them
one after another and shares the budget out among them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from sftdec.params import Section, load_typed
from sftdec.peers import RECIPES

Budget = Literal["equal_time", "equal_steps"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)
OURS = "sft_dec"
_STAGES = ("s1", "s2", "s3")

Positive = Annotated[float, Field(gt=0)]
ModelName = Annotated[str, Field(pattern=r"^\w+$")]


class PartParams(Section):
    """One part of a network's training: a recipe of its own, or a stage of SFT-Dec's."""

    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the budget
    seconds: Positive  # that a step takes, validation left out
    learning_rate: Positive | None = None  # of the short schedule; SFT-Dec's stand in params.yaml


class ReportParams(Section):
    """How the comparison is judged."""

    split: Literal["validation", "test"]
    unseen: bool = True  # on the photos of experiments/builtin/photos.csv too, none of which the sample holds


class Comparison(Section):
    """What the comparison's params.yaml holds."""

    seed: Annotated[int, Field(ge=0)]
    network_size: Literal["small", "published"]
    minutes: Positive  # of training, on the budget equal_time
    steps: Annotated[int, Field(ge=1)]  # on the budget equal_steps
    schedule: Literal["short", "published"]  # short: each network's own loss and optimiser, one fall of its rate
    models: Annotated[dict[ModelName, dict[str, PartParams]], Field(min_length=1)]  # by name, then by part
    report: ReportParams

    @model_validator(mode="after")
    def _known(self) -> Self:
        for model, given in self.models.items():
            expected = part_names(model)
            if tuple(given) != expected:
                raise ValueError(
                    f"models.{model}: found the parts {', '.join(given) or 'none'}, expected {', '.join(expected)}"
                )
            if abs(sum(part.share for part in given.values()) - 1) > 1e-6:
                raise ValueError(f"models.{model}: its parts' shares add up to something else than 1")
            missing = [name for name, part in given.items() if part.learning_rate is None]
            if model != OURS and self.schedule == "short" and missing:
                raise ValueError(
                    f"models.{model}.{missing[0]}.learning_rate: the key is missing; schedule short needs it"
                )
        return self

    def steps_of(self, model: str, budget: Budget) -> dict[str, int]:
        """Steps of each part of a model's training."""
        parts = self.models[model]
        if budget == "equal_steps":
            return {name: max(1, round(self.steps * part.share)) for name, part in parts.items()}
        return {name: max(1, round(self.minutes * 60 * part.share / part.seconds)) for name, part in parts.items()}


def part_names(model: str) -> tuple[str, ...]:
    """The parts of a model's training, in order.

    Raises:
        ValueError: an unknown model.
    """
    if model == OURS:
        return _STAGES
    if model not in RECIPES:
        raise ValueError(f"models.{model}: there is no such network, expected of {', '.join((OURS, *RECIPES))}")
    return tuple(recipe.name for recipe in RECIPES[model])


@dataclass(frozen=True)
class Trained:
    """One training of the comparison, and where it leaves its files."""

    model: str
    budget: Budget

    def weights(self, build: Path) -> Path:
        """The weights, below the comparison's folder in ``build``."""
        return build / self.model / f"{self.budget}.safetensors"

    def curve(self, build: Path) -> Path:
        """The training's curve, ``write_curve``'s columns; steps are counted on over its parts."""
        return build / self.model / f"{self.budget}.csv"


def load_comparison(path: Path) -> Comparison:
    """The comparison of a parameter file, as ``load_typed``."""
    return load_typed(Comparison, path)
