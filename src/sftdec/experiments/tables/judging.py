"""Judging: a trained network, or a classical method, on scenes whose truth is known; and what the panels need of it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
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
from sftdec.runtime import checksum

if TYPE_CHECKING:
    from sftdec.datasets import Scene, Split
    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork

    OnScene = Callable[[Scene, Picture, NDArray[np.float32]], None]
    Measure = Callable[[Iterable[Scene]], pd.DataFrame]


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


def measure_network(
    network: "AnyNetwork", scenes: "Iterable[Scene]", device: str = "cpu", on_scene: "OnScene | None" = None,
    deconvolve: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """A row a scene (``evaluate.COLUMNS``) of a network on ``device``; with ``deconvolve`` of what deconvolution makes
    with its map.

    Raises:
        ValueError: a scene can't be measured.
    """
    network = network.to(device).eval()
    if deconvolve:
        return evaluate_deconvolution(map_of_network(cast("SFTDec", network), device), scenes, on_scene=on_scene)
    return evaluate_network(network, scenes, device, on_scene)


def measure_method(method: str, scenes: "Iterable[Scene]", on_scene: "OnScene | None" = None) -> pd.DataFrame:
    """As ``measure_network``: a classical method's maps, and what deconvolution makes with them.

    Raises:
        ValueError: a method that isn't known, or a scene that can't be measured.
    """
    source = method.removesuffix(DECONVOLVED)
    if source not in MAP_SOURCES:
        raise ValueError(f"classical method: found {method!r}, expected one of {', '.join(MAP_SOURCES)}")
    return evaluate_deconvolution(MAP_SOURCES[source], scenes, on_scene=on_scene)


def judge(measure: "Measure", scenes: Path, split: "Split") -> pd.DataFrame:
    """What ``measure`` says of a split of a folder of scenes, with each scene's ``split`` and ``photo``.

    Raises:
        DataError: the folder can't be read, or its split has no scenes.
    """
    photos = read_index(scenes)[["dataset", "scene", "photo", "split"]]
    return measure(load_scenes(scenes, split)).merge(photos, on=["dataset", "scene"], validate="one_to_one")


def judge_model(
    model: str, weights: Mapping[str, Path], load: "Callable[[Path], AnyNetwork]", scenes: Path, split: "Split",
    pictures: Path, device: str = "cpu", deconvolve: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """A row a scene and budget (``JUDGED_COLUMNS``) of a network's pictures and maps.

    ``weights``: its file at each budget; one that isn't there has no rows. ``load`` reads such a file. The panels'
    pictures of ``PANEL_BUDGET`` are written below ``pictures``. With ``deconvolve`` the rows are of
    ``MODEL+deconvolution``.

    Raises:
        ValueError: no file is there, or a scene can't be measured.
    """
    there = {budget: path for budget, path in weights.items() if path.is_file()}
    if not there:
        missing = ", ".join(map(str, weights.values()))
        raise ValueError(f"{model}: none of its weights is there ({missing}); train it with dvc repro")
    name, tables = f"{model}{DECONVOLVED}" if deconvolve else model, []
    for budget, path in there.items():
        keeper = _keeper(pictures, scenes, split) if budget == PANEL_BUDGET else None
        measure = partial(measure_network, load(path), device=device, on_scene=keeper, deconvolve=deconvolve)
        tables.append(judge(measure, scenes, split).assign(model=name, budget=budget, weights=checksum(path)))
    return pd.concat(tables, ignore_index=True)[JUDGED_COLUMNS]


def judge_classical(method: str, scenes: Path, split: "Split", pictures: Path) -> pd.DataFrame:
    """A row a scene (``JUDGED_COLUMNS``) of ``measure_method``."""
    measure = partial(measure_method, method, on_scene=_keeper(pictures, scenes, split))
    return judge(measure, scenes, split).assign(model=method, budget=UNTRAINED, weights="")[JUDGED_COLUMNS]


def _keeper(pictures: Path, scenes: Path, split: "Split") -> Keeper:
    return Keeper(pictures, panel_scenes(read_index(scenes), split))
