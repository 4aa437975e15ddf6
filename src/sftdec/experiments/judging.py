"""Judging: a trained network, or a classical method, on scenes whose truth is known."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd

from sftdec.datasets import load_scenes, read_index
from sftdec.evaluation import MAP_SOURCES, evaluate_deconvolution, evaluate_network, map_of_network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sftdec.datasets import Scene, Split
    from sftdec.evaluation import Picture
    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork

    OnScene = Callable[[Scene, Picture, NDArray[np.float32]], None]
    Measure = Callable[[Iterable[Scene]], pd.DataFrame]


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
    if method not in MAP_SOURCES:
        raise ValueError(f"classical method: found {method!r}, expected one of {', '.join(MAP_SOURCES)}")
    return evaluate_deconvolution(MAP_SOURCES[method], scenes, on_scene=on_scene)


def judge(measure: "Measure", scenes: Sequence[Path], split: "Split") -> pd.DataFrame:
    """What ``measure`` says of a split of folders of scenes, with each scene's ``split`` and ``photo``.

    Raises:
        DataError: a folder can't be read, or its split has no scenes.
    """
    photos = pd.concat([read_index(folder)[["dataset", "scene", "photo", "split"]] for folder in scenes])
    loaded = chain.from_iterable(load_scenes(folder, split) for folder in scenes)
    return measure(loaded).merge(photos, on=["dataset", "scene"], validate="one_to_one")
