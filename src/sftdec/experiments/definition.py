"""An experiment: variants of params.yaml, each trained once a fold of photos; read from experiments/NAME/params.yaml.

A cell is one variant, one fold, one stage of training; every variant takes the same steps.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import pandas as pd
from pydantic import Field, model_validator

from sftdec.params import Params, ParamsError, Section, load_typed, parse_params
from sftdec.runtime import read_yaml
from sftdec.training import weights_path

StageName = Literal["s1", "s2", "s3", "end_to_end"]
_LENGTHS = {"steps": "epochs", "epochs": "steps"}  # of a stage: either of the two
Changes = dict[str, Any]  # keys of params.yaml with dots → values


class PhotosParams(Section):
    """Which photos an experiment learns from and is judged on."""

    builtin: bool = True  # those of experiments/builtin/photos.csv beside the wheels'
    left_out: list[str] = Field(default=[])  # names


class Experiment(Section):
    """What an experiment's params.yaml holds."""

    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)]  # 0, 1, …; each is its training's seed
    photos: PhotosParams
    steps: dict[StageName, Annotated[int, Field(ge=1)]]
    variants: Annotated[dict[str, Changes], Field(min_length=2)]
    changes: Changes = Field(default={})  # of every variant
    whole: list[str] = Field(default=[])  # lists that only dvc.yaml reads: variants that are trained from s1 on
    s3_only: list[str] = Field(default=[])  # and those that start from another's s2
    labels: dict[str, str] = Field(default={})  # of variants, in the report

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.folds != list(range(len(self.folds))):
            raise ValueError(f"folds: found {self.folds}, expected 0, 1, … in order")
        return self

    def steps_of(self, cell: "Cell") -> int:
        """Steps of a cell's stage.

        Raises:
            ParamsError: the stage has none.
        """
        if cell.stage not in self.steps:
            raise ParamsError(f"steps.{cell.stage}: the key is missing; give the stage's steps")
        return self.steps[cell.stage]


@dataclass(frozen=True)
class Cell:
    """One training of an experiment."""

    variant: str
    stage: StageName
    fold: int

    def data(self, build: Path) -> Path:
        """Scenes and patches of the cell's fold, below the experiment's folder in ``build``."""
        return build / "folds" / str(self.fold)

    def folder(self, build: Path) -> Path:
        """Where the cell's variant and fold keep their files, below the experiment's folder in ``build``."""
        return build / "cells" / self.variant / str(self.fold)

    def weights(self, build: Path) -> Path:
        """The trained weights."""
        return weights_path(self.folder(build), self.stage)

    def per_image(self, build: Path) -> Path:
        """The per-image table of those weights."""
        return self.folder(build) / "per_image" / f"{self.stage}.parquet"

    def curve(self, build: Path) -> Path:
        """The training's curve."""
        return self.folder(build) / "curves" / f"{self.stage}.csv"


def load_experiment(path: Path) -> Experiment:
    """The experiment of a parameter file, as ``load_typed``."""
    return load_typed(Experiment, path)


def read_cells(experiment: Experiment, build: Path) -> pd.DataFrame:
    """The per-image tables of an experiment's cells that are there, as ``tables.differences`` takes them.

    Raises:
        ParamsError: there is none.
    """
    cells = [
        Cell(variant, stage, fold)
        for variant in experiment.variants
        for stage in get_args(StageName)
        for fold in experiment.folds
    ]
    found = [
        pd.read_parquet(path).assign(variant=cell.variant, stage=cell.stage, fold=cell.fold)
        for cell in cells
        if (path := cell.per_image(build)).is_file()
    ]
    if not found:
        raise ParamsError(f"{build}: none of the experiment's {len(cells)} cells is there; train them with dvc repro")
    return pd.concat(found, ignore_index=True)


def cell_params(base: Path, experiment: Experiment, cell: Cell) -> Params:
    """The parameters of a cell: the file ``base`` with the experiment's, the variant's and the cell's changes.

    Raises:
        ParamsError: an unknown variant, or a change that makes no valid parameters.
    """
    if cell.variant not in experiment.variants:
        raise ParamsError(f"variants: there is no {cell.variant!r}, expected one of {', '.join(experiment.variants)}")
    own = {"train.common.seed": cell.fold, f"train.{cell.stage}.steps": experiment.steps_of(cell)}
    changes = {**experiment.changes, **experiment.variants[cell.variant], **own}
    return parse_params(with_changes(read_yaml(base), changes), f"{base}, variant {cell.variant}, {cell.stage}")


def check_cells(base: Path, experiment: Experiment) -> None:
    """Refuse what a later cell would be refused for, before the first is trained.

    Raises:
        ParamsError: as ``cell_params``, of any variant and stage.
    """
    for variant in experiment.variants:
        for stage in experiment.steps:
            cell_params(base, experiment, Cell(variant, stage, 0))


def with_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``values`` with some keys, written with dots, set otherwise; sections are not made.

    A stage's length is given in steps or in epochs: who sets one of them alone takes the other away.

    Raises:
        ParamsError: a section that isn't there.
    """
    changed = copy.deepcopy(dict(values))
    for key, value in changes.items():
        section: Any = changed
        *path, last = key.split(".")
        for part in path:
            if not isinstance(section, dict) or part not in section:
                raise ParamsError(f"{key}: there is no section {part!r}; mend the key's spelling")
            section = section[part]
        section[last] = value
        other = _LENGTHS.get(last, "")
        if other in section and value is not None and ".".join((*path, other)) not in changes:
            section[other] = None
    return changed
