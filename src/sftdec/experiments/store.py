"""What was judged, remembered by content: a table a cell, below ``build/grid`` or another folder."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sftdec.evaluation import summarise, write_per_image
from sftdec.runtime import atomic_path, checksum
from sftdec.tracking import CellRun, now_ms

LOG = logging.getLogger(__name__)
_DECIMALS = 6


@dataclass(frozen=True)
class Judged:
    """A cell's means over its pictures, and what it was measured of.

    ``figures``: what the store's ``figures`` makes of the table; of the grid ``figures_of``.
    ``about``: what makes up the key, on which device, and when it was measured (ms since 1970). ``table``: the file of
    its pictures.
    """

    key: str
    figures: Mapping[str, float]
    about: Mapping[str, Any]
    table: Path

    def run(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, Any], dataset: tuple[str, Path, str, int]
    ) -> CellRun:
        """What becomes of it in MLflow; ``dataset`` as ``CellRun``'s."""
        about = self.about
        shown = {**params, "device": about["device"]}
        return CellRun(
            self.key, name, int(about["began"]), int(about["ended"]), shown, tags, self.figures, dataset, self.table
        )


def figures_of(per_image: pd.DataFrame) -> dict[str, float]:
    """``summarise``'s means of the one data set of a table, and ``psnr_gain`` (dB).

    Raises:
        ValueError: no rows, a column is missing, or a mean that is no finite number.
    """
    (figures,) = summarise(per_image).values()
    return {**figures, "psnr_gain": round(figures["psnr"] - figures["psnr_blurred"], _DECIMALS)}


def means_of(table: pd.DataFrame) -> dict[str, float]:
    """The means of all columns of numbers."""
    return {str(name): round(float(mean), _DECIMALS) for name, mean in table.mean(numeric_only=True).items()}


class CellStore:
    """The folder of cells. A cell is there once its ``.json`` is: that is written last, and knows its table's hash."""

    def __init__(self, folder: Path, figures: Callable[[pd.DataFrame], Mapping[str, float]] = figures_of) -> None:
        self.folder, self._figures = folder, figures

    def judged(self, deciding: Mapping[str, str], measure: Callable[[], pd.DataFrame], device: str) -> Judged:
        """The cell of the checksums that decide its figures; measured where it isn't there."""
        key = hashlib.sha256(json.dumps(dict(deciding), sort_keys=True).encode()).hexdigest()
        if found := self.find(key):
            return found
        began = now_ms()
        table = measure()
        return self.keep(key, table, {**deciding, "began": began, "ended": now_ms(), "device": device})

    def find(self, key: str) -> Judged | None:
        """The cell, or None where it has to be measured; a warning says so of one that is damaged."""
        note, table = self._note(key), self._table(key)
        if not note.exists():
            return None
        try:
            written = json.loads(note.read_text("utf-8"))
            if written["key"] != key or written["table_sha256"] != checksum(table):
                raise ValueError("its table is not the one that was written")
            per_image = pd.read_parquet(table)
            return Judged(key, self._figures(per_image), written["about"], table)
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("%s: a damaged cell (%s); it is measured anew", note, error)
            return None

    def keep(self, key: str, per_image: pd.DataFrame, about: Mapping[str, Any]) -> Judged:
        """Write a cell, whole or not at all.

        Raises:
            ValueError: a table without pictures, or a measure that is no finite number.
        """
        figures, table = self._figures(per_image), self._table(key)
        write_per_image(table, per_image)
        note = {"key": key, "about": dict(about), "table_sha256": checksum(table)}
        with atomic_path(self._note(key)) as temporary:
            temporary.write_text(json.dumps(note, indent=2, sort_keys=True) + "\n", "utf-8")
        return Judged(key, figures, about, table)

    def _note(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _table(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
