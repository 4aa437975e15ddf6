"""Filling the grid: only cells that weren't measured are, and one model's failure is its own."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sftdec.evaluation import MAP_MEASURES
from sftdec.experiments.grid.code import code_checksum
from sftdec.experiments.grid.data import GridData
from sftdec.experiments.grid.models import GridModel, Measure
from sftdec.experiments.store import CellStore, Judged
from sftdec.tracking import CellRun, CellRuns

if TYPE_CHECKING:
    import pandas as pd

    from sftdec.tracking import TrackingSettings

FOLDER = Path("build/grid")
OnCell = Callable[[GridModel, GridData], None]


@dataclass
class Grid:
    """What was found: a cell, or why there is none, for each model's name and data set's name.

    A pair that is in neither has no cell: the model wants true maps and the data set has none.
    """

    models: Sequence[GridModel]
    data: Sequence[GridData]
    cells: dict[tuple[str, str], Judged] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    measured: int = 0


def fill_grid(
    models: Sequence[GridModel],
    data: Sequence[GridData],
    root: Path,
    device: str = "cpu",
    on_cell: OnCell | None = None,
    settings: "TrackingSettings | None" = None,
) -> Grid:
    """Measure what isn't below ``build/grid`` yet, and see to it that MLflow has a run of each cell.

    ``on_cell`` is called before a cell is measured. A model that can't be loaded or measured is among the
    ``failures``, with a sentence; the others go on.
    """
    grid, store, runs = Grid(models, data), CellStore(root / FOLDER), CellRuns(root, settings)
    try:
        for model in models:
            _Row(model, device, root, grid, store, runs, on_cell, model.problem).fill()
    finally:
        runs.finish()
    return grid


@dataclass
class _Row:
    """One model over all data sets; it is loaded when the first cell wants it, and let go of with the row."""

    model: GridModel
    device: str
    root: Path
    grid: Grid
    store: CellStore
    runs: CellRuns
    on_cell: OnCell | None
    problem: str
    measure: Measure | None = None

    def fill(self) -> None:
        """The row's cells."""
        code = code_checksum(self.model.kind)
        for data in self.grid.data:
            if self.model.wants_map and not data.has_maps:
                continue
            place = (self.model.name, data.name)
            try:
                cell = self._cell(data, code)
            except Exception as error:  # whatever a model can fail with: the others are to be measured
                self.grid.failures[place] = _told(error, self.root)
                continue
            self.grid.cells[place] = cell
            self.runs.add(_run_of(cell, self.model, data))

    def _cell(self, data: GridData, code: str) -> Judged:
        if self.model.digest is None:
            raise ValueError(self.problem)
        deciding = {
            "model_sha256": self.model.digest,
            "scenes_sha256": data.checksum,
            "code_sha256": code,
            "split": data.split,
        }

        def measured() -> "pd.DataFrame":
            measure = self._loaded()
            if self.on_cell is not None:
                self.on_cell(self.model, data)
            table = measure(data.scenes())
            self.grid.measured += 1
            return table if data.has_maps else table.assign(**dict.fromkeys(MAP_MEASURES, np.nan))

        return self.store.judged(deciding, measured, self.device)

    def _loaded(self) -> Measure:
        if self.problem:  # it failed on the first data set
            raise ValueError(self.problem)
        if self.measure is None:
            try:
                self.measure = self.model.load(self.device)
            except Exception as error:
                self.problem = _told(error, self.root)
                raise
        return self.measure


def _told(error: Exception, root: Path) -> str:
    """A failure in a line, paths as from ``root``; what isn't written for people gets its type's name before it."""
    text = (str(error).strip() or "no more is known").splitlines()[0].replace(f"{root}{os.sep}", "")
    return text if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"


def _run_of(cell: Judged, model: GridModel, data: GridData) -> CellRun:
    shown = {"model": model.names[0], "dataset": data.name, "split": data.split, "kind": model.kind}
    tags = {
        "model": model.name,
        "model.source": ", ".join(model.sources),
        "dataset": data.name,
        "sftdec.cell": cell.key,
        "hash.model": cell.about["model_sha256"],
        "hash.scenes": cell.about["scenes_sha256"],
        "hash.grid_code": cell.about["code_sha256"],
    }
    dataset = (data.name, data.where, data.checksum, data.images)
    return cell.run(f"{model.names[0]} × {data.name}", shown, tags, dataset)
