"""params.yaml as typed objects: an unknown or impossible value is an error that names the key.

No key may be called ``size`` or ``nfiles``: DVC's run cache leaves such keys out of its hash (it takes them for a
file's) and would bring back the outs of another value.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sftdec.networks.config import Gamma, GammaActivation, Modulation, NetworkConfig

PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class ParamsError(ValueError):
    """A parameter file that can't be used; the message names the key, the value and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourceParams(_Section):
    """Where an archive of a data set is downloaded from."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class CheckParams(_Section):
    """What a scene may be like; see ``datasets.checks.CheckLimits``."""

    max_shift: Positive = 1.0  # px between sharp and blurred photo
    min_sharpening: float = -0.1  # dB of contrast that the sharp photo has beyond the blurred one
    duplicate_distance: Annotated[int, Field(ge=0, le=64)] = 4  # bits of two photos' perceptual hashes


class FetchParams(_Section):
    """Which data sets are brought into build/scenes."""

    datasets: Annotated[list[str], Field(min_length=1)]
    sigma_max: Positive  # px of sigma that a map's 1.0 stands for
    strict: bool = False  # a scene that can't be used stops the stage; else it is left out and counted
    sources: dict[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], SourceParams] = {}  # by data set
    check: CheckParams = CheckParams()


def _some_or_all(processes: int) -> int:
    if processes < -1 or processes == 0:
        raise ValueError(f"found {processes}, expected 1 or more, or -1 for every core")
    return processes


class ComputeParams(_Section):
    """Where scenes are rendered and patches are cut. It changes no result, so no stage depends on it."""

    backend: Literal["joblib", "dask"] = "joblib"
    processes: Annotated[int, AfterValidator(_some_or_all)] = -1  # of joblib; -1 is every core
    address: str | None = None  # of a dask scheduler, such as tcp://host:8786

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.backend == "dask" and not self.address:
            raise ValueError("address: found none, expected a dask scheduler's (tcp://host:8786) beside backend dask")
        return self


class PatchesParams(_Section):
    """What is cut from the scenes."""

    patch_size: Annotated[int, Field(ge=16)]  # px
    stride: PositiveInt  # px
    drop_least_sharp: Share = 0.3  # they teach little, as published gains from leaving them out show
    balance_levels: Annotated[int, Field(ge=0)] = 0  # levels of mean sigma with equally many patches; 0: as it comes
    shard_patches: PositiveInt


class NetworkParams(_Section):
    """The network: a named size, and whatever is to differ from it."""

    preset: Literal["small", "paper"]
    modulation: Modulation
    stem: Literal[1, 2, 4] | None = None
    features: PositiveInt | None = None
    blocks: PositiveInt | None = None
    dme_features: PositiveInt | None = None
    dme_blocks: PositiveInt | None = None
    dme_dilations: list[PositiveInt] | None = None
    condition_features: PositiveInt | None = None
    sft_features: PositiveInt | None = None
    gamma: Gamma | None = None
    gamma_activation: GammaActivation | None = None
    reduction: PositiveInt | None = None
    spatial_kernel: PositiveInt | None = None
    slope: Share | None = None
    global_residual: bool | None = None
    map_init: NonNegative | None = None
    block_init: NonNegative | None = None
    output_init: NonNegative | None = None
    dme_block_init: NonNegative | None = None
    dme_output_init: NonNegative | None = None
    dme_centre: NonNegative | None = None
    dme_relu: bool | None = None

    def config(self, sigma_max: float) -> NetworkConfig:
        """The network's configuration for maps in units of ``sigma_max`` px."""
        overrides = self.model_dump(exclude={"preset"}, exclude_none=True)
        return NetworkConfig.of_size(self.preset, sigma_max=sigma_max, **overrides)


class LossParams(_Section):
    """A stage's loss: λ1·L_dme + λ2·L_df + λ3·L_wd. Eq. 7 has λ3 = 0, eq. 8 has λ1 = 0.

    DID-ANet's released code has eq. 8's numbers the other way round: 0.1 on L_df and 0.9 on L_wd.
    """

    lambda_1: NonNegative  # of L_dme, eq. 3
    lambda_2: NonNegative  # of L_df, eq. 4
    lambda_3: NonNegative  # of L_wd, eq. 5
    square_weight: bool = True  # eq. 5 reads as a norm of weight times difference; false weights the square instead

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.lambda_1 + self.lambda_2 + self.lambda_3 == 0:
            raise ValueError("found three weights of 0, expected at least one above 0")
        return self


class CommonParams(_Section):
    """What the stages of training share."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    threads: PositiveInt  # of PyTorch on a CPU; another number may round otherwise
    precision: Literal["bf16", "fp32"]
    seed: Annotated[int, Field(ge=0)]
    batch_size: PositiveInt
    crop: Annotated[int, Field(ge=16)]  # px
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees, either way
    flips: bool
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0  # blurred and sharp alike, by up to this share
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0  # largest deviation (share of white), on blurred alone
    channel_shuffle: bool = False  # blurred and sharp alike
    workers: Annotated[int, Field(ge=0)]
    beta_1: Share
    beta_2: Share
    gradient_clip: Positive | None
    ema_decay: Share
    accumulate: PositiveInt = 1  # parts that a batch is computed in, one after another: less memory, the same batch
    compile: bool = False  # torch.compile: minutes of compiling, then faster steps
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


class StageParams(_Section):
    """One stage of training; its length in steps or in epochs, one of the two."""

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
    detach_map: bool = False  # true: L_df and L_wd don't move the map network through the condition (not given)
    validate_every: PositiveInt  # steps
    checkpoint_every: PositiveInt  # steps
    keep: Literal["last", "best"]  # best: on the validation photos
    loss: LossParams

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


class TrainParams(_Section):
    """The training's sections: what is common, and each stage (sec. 3.4)."""

    common: CommonParams
    processes: PositiveInt = 1  # of this machine, which share each batch (torchrun); a GPU each where there are some
    s1: StageParams
    s2: StageParams
    s3: StageParams
    end_to_end: StageParams

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


class EvaluateParams(_Section):
    """How the network is judged."""

    split: Literal["validation", "test"]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    panels: Annotated[int, Field(ge=0)]  # pictures with crops, as in the paper's figures 5 to 9


class GateParams(_Section):
    """What makes a champion."""

    min_gain: float  # dB of mean PSNR over the champion; over the blurred input for a first version


class Params(_Section):
    """A whole params.yaml."""

    fetch: FetchParams
    compute: ComputeParams = ComputeParams()
    patches: PatchesParams
    network: NetworkParams
    train: TrainParams
    evaluate: EvaluateParams
    gate: GateParams

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        common = self.train.common
        if common.rotation > 0 and math.ceil(common.crop * math.sqrt(2)) > self.patches.patch_size:
            size = self.patches.patch_size
            allowed = f"0 for crops of {common.crop} px from patches of {size} px (a turned crop has empty corners)"
            raise ValueError(f"train.common.rotation: found {common.rotation}, expected {allowed}")
        if self.train.common.crop > self.patches.patch_size:
            allowed = f"at most patches.patch_size={self.patches.patch_size}"
            raise ValueError(f"train.common.crop: found {self.train.common.crop}, expected {allowed}")
        self.network.config(self.fetch.sigma_max)
        return self


def parse_params(values: Any, source: str) -> Params:
    """Typed parameters from plain values; ``source`` is the file's name, for errors.

    Raises:
        ParamsError: an unknown key, a wrong type or an impossible value; each is named with what is allowed.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False):
            key = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(
                    f"{key}: there is no such key (found {problem['input']!r}); remove it or mend its spelling"
                )
            elif problem["type"] == "missing":
                lines.append(f"{key}: the key is missing; add it")
            elif problem["type"] == "value_error":
                lines.append(f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"]))
            else:
                lines.append(f"{key}: found {problem['input']!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}")
        raise ParamsError(f"{source}: " + "; ".join(lines)) from error


def load_params(path: Path) -> Params:
    """The parameters of a YAML file.

    Raises:
        ParamsError: no file, no YAML, or as ``parse_params``.
    """
    try:
        values = YAML(typ="safe", pure=True).load(
            path.read_text(encoding="utf-8")
        )  # YAML 1.2, as DVC: 1e-4 is a number
    except FileNotFoundError:
        raise ParamsError(f"{path}: there is no such parameter file") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not YAML ({error})") from error
    return parse_params(values, str(path))
