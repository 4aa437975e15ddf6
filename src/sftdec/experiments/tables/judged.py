"""What was judged: the table of all methods, and the scenes that the panels show."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sftdec.datasets import select_scenes
from sftdec.evaluation import COLUMNS
from sftdec.experiments.tables.methods import BUDGET_TITLES, UNTRAINED

if TYPE_CHECKING:
    from sftdec.datasets import Split

PANELS = 5
JUDGED_COLUMNS = [*COLUMNS, "model", "budget", "split", "photo", "weights"]


def panel_scenes(index: pd.DataFrame, split: "Split", count: int = PANELS) -> list[str]:
    """The names of the scenes that are shown, chosen without a look at any result.

    Of each photo the most blurred scene first (``sigma_mean``, by the true map), then the second of each, and so on,
    until there are ``count``; within such a round the more blurred scene comes first.

    Raises:
        DataError: the split has no scenes.
    """
    chosen = select_scenes(index, split).sort_values(["sigma_mean", "scene"], ascending=[False, True])
    rounds = chosen.groupby(["dataset", "photo"]).cumcount()
    return [str(name) for name in chosen.assign(rounds=rounds).sort_values("rounds", kind="stable")["scene"][:count]]


def read_judged(folder: Path) -> pd.DataFrame:
    """All judged rows of a folder: those of its ``*.parquet`` files.

    Raises:
        ValueError: there is none, or one lacks a column or has a budget that isn't known.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise ValueError(f"{folder}: found no judged method; run dvc repro experiments/comparison/dvc.yaml")
    tables = []
    for path in files:
        table = pd.read_parquet(path)
        if missing := [column for column in JUDGED_COLUMNS if column not in table]:
            raise ValueError(f"{path}: lacks {', '.join(missing)}; judge it again with dvc repro")
        if unknown := set(table["budget"]) - {*BUDGET_TITLES, UNTRAINED}:
            raise ValueError(f"{path}: budget: found {', '.join(sorted(unknown))}, expected {', '.join(BUDGET_TITLES)}")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
