"""What is judged for tables 1 and 2: a method's rows, the pictures that the panels need of it, and all of these."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.datasets import read_index, select_scenes
from sftdec.evaluation import COLUMNS, Picture
from sftdec.experiments.judging import judge, measure_method, measure_network
from sftdec.experiments.tables.methods import BUDGET_TITLES, DECONVOLVED, PANEL_BUDGET, UNTRAINED, trained_model
from sftdec.peers import load_network
from sftdec.photos import defocus_levels, write_picture
from sftdec.runtime import checksum

if TYPE_CHECKING:
    from sftdec.datasets import Scene, Split

PANELS = 5
JUDGED_COLUMNS = [*COLUMNS, "model", "budget", "split", "photo", "weights"]


class Keeper:
    """Writes what a method made of the scenes that are shown: ``FOLDER/deblurred/SCENE.png``, ``FOLDER/defocus/…``.

    A map is stored as the scenes' own are, 16 bits a pixel; one that isn't there (a network that estimates none) isn't
    written.
    """

    def __init__(self, folder: Path, shown: Iterable[str]) -> None:
        self.folder, self.shown = folder, frozenset(shown)

    def __call__(self, scene: "Scene", deblurred: Picture, estimate: NDArray[np.float32]) -> None:
        """What ``evaluate_network`` calls after each scene."""
        if scene.name not in self.shown:
            return
        write_picture(self.folder / "deblurred" / f"{scene.name}.png", deblurred)
        if np.isfinite(estimate).all():
            write_picture(self.folder / "defocus" / f"{scene.name}.png", defocus_levels(estimate))


def judge_method(
    method: str,
    weights: Mapping[Any, Path],
    scenes: Sequence[Path],
    split: "Split",
    pictures: Path,
    device: str = "cpu",
) -> pd.DataFrame:
    """A row a scene and budget (``JUDGED_COLUMNS``) of a method of ``methods``: its pictures and maps.

    ``weights``: its network's file at each budget; one that isn't there has no rows, and a classical method needs none.
    It is judged on a split of each folder of ``scenes``. The panels' pictures, of the first folder's scenes and
    ``PANEL_BUDGET``, are written below ``pictures``.

    Raises:
        ValueError: no file is there, or a scene can't be measured.
    """
    keeper = Keeper(pictures, panel_scenes(read_index(scenes[0]), split))
    if trained_model(method) is None:
        source = method.removesuffix(DECONVOLVED)
        table = judge(partial(measure_method, source, on_scene=keeper), scenes, split)
        return table.assign(model=method, budget=UNTRAINED, weights="")[JUDGED_COLUMNS]
    there = {budget: path for budget, path in weights.items() if path.is_file()}
    if not there:
        missing = ", ".join(map(str, weights.values()))
        raise ValueError(f"{method}: none of its weights is there ({missing}); train it with dvc repro")
    tables = []
    for budget, path in there.items():
        measure = partial(
            measure_network,
            load_network(path),
            device=device,
            on_scene=keeper if budget == PANEL_BUDGET else None,
            deconvolve=method.endswith(DECONVOLVED),
        )
        tables.append(judge(measure, scenes, split).assign(model=method, budget=budget, weights=checksum(path)))
    return pd.concat(tables, ignore_index=True)[JUDGED_COLUMNS]


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
