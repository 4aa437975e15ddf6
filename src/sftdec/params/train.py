"""The training's sections of params.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sftdec.params.fields import NonNegative, Positive, PositiveInt, Section, Share

LossNorm = Literal["pixel", "square", "weighted_square"]


class LossParams(Section):
    """A stage's loss: λ1·L_dme + λ2·L_df + λ3·L_wd. Eq. 7 has λ3 = 0, eq. 8 has λ1 = 0.

    DID-ANet's released code weighs them the other way round: 1 on L_df and 9 on L_wd. Neither that proportion nor a
    λ1 of 0.2 in eq. 8 could be told from the paper's on validation photos (reports/readings.md): the paper's stay.
    """

    lambda_1: NonNegative  # of L_dme, eq. 3
    lambda_2: NonNegative  # of L_df, eq. 4
    lambda_3: NonNegative  # of L_wd, eq. 5
    norm: LossNorm = (
        "pixel"  # of eq. 5: each pixel's length as in DID-ANet's code, or squares, weighted before or after
    )

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.lambda_1 + self.lambda_2 + self.lambda_3 == 0:
            raise ValueError("found three weights of 0, expected at least one above 0")
        return self


class AugmentationParams(Section):
    """How a crop is cut, turned and lit (sec. 4.1.3: random crop, free rotation, flips), and optional light and noise.

    A camera's noise is in what comes in, and what is to come out has none: noise in the sharp picture would only be
    asked for in vain.
    """

    crop: PositiveInt  # px
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees, either way; see TurnedCrop for what it costs
    flips: bool  # mirrored, and turned by quarters
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0  # blurred and sharp times one factor within 1 ± it
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0  # largest deviation (share of white), on blurred alone
    channel_shuffle: bool = False  # colours change places, in blurred and sharp alike


class CommonParams(AugmentationParams):
    """What the stages of training share."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    threads: PositiveInt  # of PyTorch on a CPU; another number may round otherwise
    precision: Literal["bf16", "fp32"]
    seed: Annotated[int, Field(ge=0)]
    batch_size: PositiveInt
    crop: Annotated[int, Field(ge=16)]  # px; a network takes no smaller picture
    beta_1: Share
    beta_2: Share
    gradient_clip: Positive | None
    ema_decay: Share
    accumulate: PositiveInt = 1  # parts that a batch is computed in, one after another: less memory, the same batch
    engine: Literal["graph", "compiled", "plain", "auto"] = "auto"  # auto: graph on one CUDA GPU, else plain
    exact: Literal["auto", True, False] = "auto"  # false: what is quickest; true: stops where auto lets bits differ
    checkpoint_activations: bool = False  # compute blocks a second time for the gradient instead of keeping them
    bad_steps: PositiveInt = 5  # losses in a row that are no number, before training goes back to its last checkpoint
    returns: Annotated[int, Field(ge=0)] = 2  # how often it goes back before it stops
    return_rate: Annotated[float, Field(gt=0, lt=1)] = 0.5  # the learning rate's factor each time

    @model_validator(mode="after")
    def _equal_parts(self) -> Self:
        if self.batch_size % self.accumulate:
            allowed = f"a divisor of batch_size={self.batch_size} (unequal parts would weigh patches differently)"
            raise ValueError(f"accumulate: found {self.accumulate}, expected {allowed}")
        return self


class InitialParams(Section):
    """Weights that a training goes on from, as when a model is fine-tuned on other photos."""

    weights: Annotated[
        str, Field(min_length=1)
    ]  # builtin, a weights file, or a registered version: models:/NAME/VERSION
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of the file: whatever the name comes to stand for


class StageParams(Section):
    """One stage of training; its length in steps or in epochs, one of the two.

    An epoch is as many crops as there are scenes. A stage that is as long as its epochs shows each scene once in each,
    whatever windows the store has of it, as the paper counts; one that is as long as its steps shows each patch once
    before any a second time, so that what ``patches`` drops and balances holds.
    """

    steps: PositiveInt | None = None
    epochs: Positive | None = None
    learning_rate: Positive
    final_learning_rate: NonNegative
    warm_up: Annotated[int, Field(ge=0)]  # steps
    decay: Literal["none", "cosine", "step"]
    decay_every: PositiveInt | None = None  # steps; of decay step
    decay_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5  # each time; of decay step
    patience: PositiveInt | None = None  # validations in a row without a better PSNR that end the stage early
    pictures_every: Positive | None = None  # epochs between validation pictures
    detach_map: bool = False  # true: L_df and L_wd don't move the map network (not given; docs/training.md)
    validate_every: PositiveInt  # steps
    checkpoint_every: PositiveInt  # steps
    keep: Literal["last", "best"]  # best: on the validation photos
    loss: LossParams
    initial: InitialParams | None = None  # of s1 and end_to_end; null: fresh weights

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(f"found steps={self.steps} and epochs={self.epochs}, expected exactly one of them")
        if self.steps is not None and self.warm_up >= self.steps:
            raise ValueError(f"warm_up: found {self.warm_up}, expected fewer than steps={self.steps}")
        if self.final_learning_rate > self.learning_rate:
            allowed = f"at most learning_rate={self.learning_rate}"
            raise ValueError(f"final_learning_rate: found {self.final_learning_rate}, expected {allowed}")
        if (self.decay == "step") != (self.decay_every is not None):
            raise ValueError(
                f"decay_every: found {self.decay_every} beside decay={self.decay}; step needs it, and no other"
            )
        return self


def _workers(found: Any) -> Any:
    if found != "auto" and not (isinstance(found, int) and not isinstance(found, bool) and found >= 0):
        raise ValueError(f"found {found!r}, expected auto, or 0 or more")
    return found


class TrainParams(Section):
    """The training's sections: what is common, and each stage (sec. 3.4)."""

    common: CommonParams
    processes: PositiveInt = 1  # of this machine, which share each batch (torchrun); a GPU each where there are some
    workers: Annotated[int | Literal["auto"], BeforeValidator(_workers)] = "auto"  # that load; they change no result
    s1: StageParams
    s2: StageParams
    s3: StageParams
    end_to_end: StageParams

    @model_validator(mode="after")
    def _stages_in_order(self) -> Self:
        for name, stage, before in (("s2", self.s2, "s1"), ("s3", self.s3, "s2")):
            if stage.initial is not None:
                found = f"{name}.initial: found {stage.initial.weights}"
                raise ValueError(
                    f"{found}, expected none: {name} starts from {before}'s weights; give s1 the initial ones"
                )
        return self

    @model_validator(mode="after")
    def _shared_equally(self) -> Self:
        parts = self.processes * self.common.accumulate
        if self.common.batch_size % parts:
            allowed = (
                f"a number by which common.batch_size={self.common.batch_size} can be divided "
                f"(times common.accumulate={self.common.accumulate})"
            )
            raise ValueError(f"processes: found {self.processes}, expected {allowed}")
        return self
