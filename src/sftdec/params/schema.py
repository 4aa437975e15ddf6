"""params.yaml as typed objects: an unknown or impossible value is an error that names the key.

No key may be called ``size`` or ``nfiles``: DVC's run cache leaves such keys out of its hash (it takes them for a
file's) and would bring back the outs of another value.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from sftdec.params.fields import Positive, PositiveInt, Section, Share
from sftdec.params.gate import GateParams
from sftdec.params.network import ConfigError, Modulation, NetworkConfig
from sftdec.params.train import TrainParams
from sftdec.params.turned import largest_extent
from sftdec.runtime import read_yaml

Kind = TypeVar("Kind", bound=Section)


class ParamsError(ValueError):
    """A parameter file that can't be used; the message names the key, the value and what is allowed."""


class SourceParams(Section):
    """Where an archive of a data set is downloaded from."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class CheckParams(Section):
    """What a scene may be like; see ``datasets.checks.CheckLimits``."""

    max_shift: Positive = 1.0  # px between sharp and blurred photo
    min_sharpening: float = -0.1  # dB of contrast that the sharp photo has beyond the blurred one
    duplicate_distance: Annotated[int, Field(ge=0, le=64)] = 4  # bits of two photos' perceptual hashes


Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # of a data set: a folder's below data/


def _once_each(names: list[str]) -> list[str]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"found {', '.join(twice)} more than once, expected each data set once")
    return names


class FetchParams(Section):
    """Which data sets are brought into build/scenes."""

    datasets: Annotated[list[Name], Field(min_length=1), AfterValidator(_once_each)]
    sigma_max: Positive  # px of sigma that a map's 1.0 stands for
    strict: bool = False  # a scene that can't be used stops the stage; else it is left out and counted
    sources: dict[Name, SourceParams] = Field(default_factory=dict)  # by data set
    check: CheckParams = CheckParams()


def _some_or_all(processes: int) -> int:
    if processes < -1 or processes == 0:
        raise ValueError(f"found {processes}, expected 1 or more, or -1 for every core")
    return processes


class ComputeParams(Section):
    """Where scenes are rendered and patches are cut. It changes no result, so no stage depends on it."""

    backend: Literal["joblib", "dask"] = "joblib"
    processes: Annotated[int, AfterValidator(_some_or_all)] = -1  # of joblib; -1 is every core
    address: str | None = None  # of a dask scheduler, such as tcp://host:8786

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.backend == "dask" and not self.address:
            raise ValueError("address: found none, expected a dask scheduler's (tcp://host:8786) beside backend dask")
        return self


class PatchesParams(Section):
    """What is cut from the scenes."""

    patch_size: Annotated[int, Field(ge=16)]  # px
    stride: PositiveInt  # px
    drop_least_sharp: Share = 0.3  # they teach little, as published gains from leaving them out show
    balance_levels: Annotated[int, Field(ge=0)] = 0  # levels of mean sigma with equally many patches; 0: as it comes


_KINDS: dict[str, Any] = {key: (kind | None, None) for key, kind in get_type_hints(NetworkConfig).items()}
del _KINDS["size"], _KINDS["sigma_max"]  # which are the preset's and fetch's to say
_KINDS |= {"preset": (Literal["small", "paper"], ...), "modulation": (Modulation, ...)}
_NetworkSection = create_model("_NetworkSection", __base__=Section, **_KINDS)


def _network(values: Any, info: ValidationInfo) -> NetworkConfig:
    """A named size and whatever is to differ from it, for maps in units of ``fetch.sigma_max`` px."""
    if isinstance(values, NetworkConfig):
        return values
    if isinstance(values, dict):
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    given = _NetworkSection.model_validate(values).model_dump(exclude_none=True)
    fetch = info.data.get("fetch")  # none, if it is wrong itself
    try:
        return NetworkConfig.of_size(given.pop("preset"), sigma_max=fetch.sigma_max if fetch else 1.0, **given)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("network.")) from None


class EvaluateParams(Section):
    """How the network is judged."""

    split: Literal["validation", "test"]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    panels: Annotated[int, Field(ge=0)]  # pictures with crops, as in the paper's figures 5 to 9


class Params(Section):
    """A whole params.yaml."""

    fetch: FetchParams
    compute: ComputeParams = ComputeParams()
    patches: PatchesParams
    network: Annotated[NetworkConfig, BeforeValidator(_network)]
    train: TrainParams
    evaluate: EvaluateParams
    gate: GateParams

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        common = self.train.common
        size = self.patches.patch_size
        if common.crop > size:
            raise ValueError(f"train.common.crop: found {common.crop}, expected at most patches.patch_size={size}")
        if (room := largest_extent(common.crop, common.rotation)) > size:
            need = f"crops of {common.crop} px need patches of {room} px to turn so far"
            raise ValueError(
                f"train.common.rotation: found {common.rotation}, expected a turn that fits: {need}, and "
                f"patches.patch_size is {size}"
            )
        return self


def parse_params(values: Any, source: str) -> Params:
    """The parameters from plain values, as ``parse_typed``."""
    return parse_typed(Params, values, source)


def parse_typed(kind: type[Kind], values: Any, source: str) -> Kind:
    """Typed parameters from plain values; ``source`` is the file's name, for errors.

    Raises:
        ParamsError: an unknown key, a wrong type or an impossible value; each is named with what is allowed.
    """
    if not isinstance(values, dict):
        sections = ", ".join(kind.model_fields)
        raise ParamsError(f"{source}: found {values!r}, expected the sections {sections}")
    try:
        return kind.model_validate(values)
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
                text = str(problem["ctx"]["error"])
                joint = "." if re.match(r"[\w.]+: found", text) else ": "  # it names a key of its section itself
                lines.append(f"{key}{joint}{text}" if key else text)
            else:
                lines.append(f"{key}: found {problem['input']!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}")
        raise ParamsError(f"{source}: " + "; ".join(lines)) from error


def load_params(path: Path) -> Params:
    """The parameters of a YAML file, as ``load_typed``."""
    return load_typed(Params, path)


def load_typed(kind: type[Kind], path: Path) -> Kind:
    """The typed parameters of a YAML file.

    Raises:
        ParamsError: no file, no YAML, or as ``parse_typed``.
    """
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise ParamsError(f"{path}: there is no such parameter file") from None
    except ValueError as error:
        raise ParamsError(str(error)) from error
    return parse_typed(kind, values, str(path))
