"""Judging: a trained network, or a classical method, on scenes whose truth is known; and what the panels need of it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sftdec.datasets import load_scenes, read_index
from sftdec.evaluation import MAP_SOURCES, Picture, evaluate_deconvolution, evaluate_network, map_of_network
from sftdec.experiments.tables.judged import JUDGED_COLUMNS, panel_scenes
from sftdec.experiments.tables.methods import DECONVOLVED, PANEL_BUDGET, UNTRAINED
from sftdec.photos import defocus_levels, write_picture

if TYPE_CHECKING:
    from sftdec.datasets import Scene, Split
    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork


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


def checksum(weights: Path) -> str:
    """A weights file's SHA-256, in hexadecimal digits."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def judge_model(
    model: str, weights: Mapping[str, Path], load: "Callable[[Path], AnyNetwork]", scenes: Path, split: "Split",
    pictures: Path, device: str = "cpu", deconvolve: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """A row a scene and budget (``JUDGED_COLUMNS``) of a network's pictures and maps.

    ``weights``: its file at each budget; one that isn't there has no rows. ``load`` reads such a file. The panels'
    pictures of ``PANEL_BUDGET`` are written below ``pictures``. With ``deconvolve`` the pictures are what deconvolution
    makes with the network's map, and the rows are of ``MODEL+deconvolution``.

    Raises:
        ValueError: no file is there, or a scene can't be measured.
    """
    there = {budget: path for budget, path in weights.items() if path.is_file()}
    if not there:
        missing = ", ".join(map(str, weights.values()))
        raise ValueError(f"{model}: none of its weights is there ({missing}); train it with dvc repro")
    tables = []
    for budget, path in there.items():
        network = load(path).to(device).eval()
        each = load_scenes(scenes, split)
        keeper = Keeper(pictures, panel_scenes(read_index(scenes), split)) if budget == PANEL_BUDGET else None
        if deconvolve:
            table = evaluate_deconvolution(map_of_network(cast("SFTDec", network), device), each, on_scene=keeper)
        else:
            table = evaluate_network(network, each, device, keeper)
        name = f"{model}{DECONVOLVED}" if deconvolve else model
        tables.append(_named(table, scenes, split, name, budget, checksum(path)))
    return pd.concat(tables, ignore_index=True)


def judge_classical(method: str, scenes: Path, split: "Split", pictures: Path) -> pd.DataFrame:
    """A row a scene (``JUDGED_COLUMNS``) of a classical method's maps and of what deconvolution makes with them.

    Raises:
        ValueError: a method that isn't known, or a scene that can't be measured.
    """
    source = method.removesuffix(DECONVOLVED)
    if source not in MAP_SOURCES:
        raise ValueError(f"classical method: found {method!r}, expected one of {', '.join(MAP_SOURCES)}")
    keeper = Keeper(pictures, panel_scenes(read_index(scenes), split))
    table = evaluate_deconvolution(MAP_SOURCES[source], load_scenes(scenes, split), on_scene=keeper)
    return _named(table, scenes, split, method, UNTRAINED, "")


def _named(table: pd.DataFrame, scenes: Path, split: "Split", model: str, budget: str, weights: str) -> pd.DataFrame:
    photos = read_index(scenes)[["dataset", "scene", "photo"]]
    named = table.assign(model=model, budget=budget, split=split, weights=weights)
    return named.merge(photos, on=["dataset", "scene"], validate="one_to_one")[JUDGED_COLUMNS]
