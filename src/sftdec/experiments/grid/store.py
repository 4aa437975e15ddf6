"""The cells that were measured, a table a cell: the grid's below ``build/grid``, of protocols below another folder."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sftdec.evaluation import COLUMNS, MEASURES, write_per_image
from sftdec.runtime import atomic_path, checksum

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """A cell's means over its pictures, and what it was measured of.

    ``figures``: what the store's ``figures`` makes of the table; of the grid ``figures_of``.
    ``about``: what makes up the key, and when it was measured (ms since 1970). ``table``: the file of its pictures.
    """

    key: str
    figures: Mapping[str, float]
    about: Mapping[str, Any]
    table: Path


def cell_key(parts: Mapping[str, str]) -> str:
    """The name of a cell: SHA-256 over the checksums that decide its figures."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def figures_of(per_image: pd.DataFrame) -> dict[str, float]:
    """The means of a table, a row a picture; measures that it has of no picture are left out.

    They are ``evaluate.MEASURES``, ``psnr_gain`` (dB), ``improved`` (share, 0..1), and ``images``.

    Raises:
        ValueError: no rows, a column is missing, or a mean that is no finite number.
    """
    if missing := set(COLUMNS) - set(per_image.columns):
        raise ValueError(f"its table lacks {', '.join(sorted(missing))}")
    if per_image.empty:
        raise ValueError("no pictures were measured")
    means = per_image[MEASURES].dropna(axis=1, how="all").mean(skipna=False)
    if not np.isfinite(means.to_numpy()).all():
        raise ValueError(f"{', '.join(means.index[~np.isfinite(means)])}: not a finite number for every picture")
    figures = {str(measure): round(float(value), 6) for measure, value in means.items()}
    figures["psnr_gain"] = round(figures["psnr"] - figures["psnr_blurred"], 6)
    figures["improved"] = round(float((per_image["psnr"] > per_image["psnr_blurred"]).mean()), 6)
    return figures | {"images": len(per_image)}


class CellStore:
    """The folder of cells. A cell is there once its ``.json`` is: that is written last, and knows its table's hash."""

    def __init__(self, folder: Path, figures: Callable[[pd.DataFrame], Mapping[str, float]] = figures_of) -> None:
        self.folder, self._figures = folder, figures

    def find(self, key: str) -> Cell | None:
        """The cell, or None where it has to be measured; a warning says so of one that is damaged."""
        note, table = self._note(key), self._table(key)
        if not note.exists():
            return None
        try:
            written = json.loads(note.read_text("utf-8"))
            if written["key"] != key or written["table_sha256"] != checksum(table):
                raise ValueError("its table is not the one that was written")
            per_image = pd.read_parquet(table)
            return Cell(key, self._figures(per_image), written["about"], table)
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("%s: a damaged cell (%s); it is measured anew", note, error)
            return None

    def keep(self, key: str, per_image: pd.DataFrame, about: Mapping[str, Any]) -> Cell:
        """Write a cell, whole or not at all.

        Raises:
            ValueError: a table without pictures, or a measure that is no finite number.
        """
        figures, table = self._figures(per_image), self._table(key)
        write_per_image(table, per_image)
        note = {"key": key, "about": dict(about), "table_sha256": checksum(table)}
        with atomic_path(self._note(key)) as temporary:
            temporary.write_text(json.dumps(note, indent=2, sort_keys=True) + "\n", "utf-8")
        return Cell(key, figures, about, table)

    def _note(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _table(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
