"""What each method costs a megapixel: parameters, multiply-accumulates, time and memory, measured side by side.

Weights are fresh: a network costs with them what it does with trained ones, so no training makes these figures stale.
A deconvolution's time depends on its map, and a fresh network's is noise: the network runs, and counts, but what is
deconvolved with is the sigma that the picture was blurred by.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
import psutil
import torch
from numpy.typing import NDArray

from sftdec.classical import deconvolve, karaali_jung_map, zhuo_sim_map
from sftdec.evaluation import Picture
from sftdec.experiments.tables.methods import DECONVOLVED, MAP_ALSO_DECONVOLVED
from sftdec.inference import deblur_array
from sftdec.peers import AnyNetwork

COLUMNS = ["method", "parameters", "gmacs", "seconds", "memory", "megapixels", "rounds", "threads"]
HEIGHT, WIDTH = 408, 612  # px: a quarter of a megapixel; the deconvolution takes its time
SIGMA = 3.0  # px, of the picture's right side; its left is sharp
COUNTED_SIDE = 256  # px; a multiple of what any network's sides are padded to
MIB = 2**20
Run = Callable[[Picture], object]
Build = Callable[[str], AnyNetwork]
_MAPS: dict[str, Callable[[Picture], NDArray[np.float32]]] = {
    "karaali_jung": karaali_jung_map,
    "zhuo_sim": zhuo_sim_map,
    "oracle": lambda picture: ramp(*picture.shape[:2]) * np.float32(SIGMA),
}


def ramp(height: int, width: int) -> NDArray[np.float32]:
    """0 at the left to 1 at the right, H×W."""
    return np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width)).copy()


def measured_picture(height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """A photo, uint8 H×W×3, blurred more and more towards the right."""
    from scipy.ndimage import gaussian_filter
    from skimage.data import coffee

    photo = coffee().astype(np.float32)
    below, right = (max(0, wanted - found) for wanted, found in zip((height, width), photo.shape, strict=False))
    sharp = np.pad(photo, ((0, below), (0, right), (0, 0)), mode="reflect")[:height, :width]
    share = ramp(height, width)[..., None]
    picture: Picture = np.rint(sharp * (1 - share) + gaussian_filter(sharp, (SIGMA, SIGMA, 0)) * share).astype(np.uint8)
    return picture


def measured_methods(models: Iterable[str]) -> list[str]:
    """The names of all that has costs: the networks, the classical maps, and each map with the deconvolution."""
    networks = list(models)
    mapped = [*(model for model in MAP_ALSO_DECONVOLVED if model in networks), *_MAPS]
    return [*networks, *(name for name in _MAPS if name != "oracle"), *(f"{name}{DECONVOLVED}" for name in mapped)]


def run_of(method: str, build: Build) -> Run:
    """What the method does with a picture."""
    source = method.removesuffix(DECONVOLVED)
    if source in _MAPS:
        sigma_of = _MAPS[source]
    else:
        network = build(source).eval()
        if source == method:
            return lambda picture: deblur_array(network, picture)

        def sigma_of(picture: Picture) -> NDArray[np.float32]:
            deblur_array(network, picture)
            return _MAPS["oracle"](picture)

    if source == method:
        return sigma_of
    return lambda picture: deconvolve(picture.astype(np.float32) / 255, sigma_of(picture))


def counted(model: str, build: Build) -> tuple[float, float]:
    """Million parameters that restoring takes, and GMAC a million pixels (convolutions and matrix products)."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = build(model).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, COUNTED_SIDE, COUNTED_SIDE, device="meta"))
    parameters = sum(each.numel() for each in network.parameters())
    count = getattr(network, "parameter_count", lambda: parameters)()
    return count / 1e6, float(counter.get_total_flops()) / 2 / 1e9 * 1e6 / COUNTED_SIDE**2


def seconds_side_by_side(runs: Mapping[str, Run], picture: Picture, rounds: int) -> dict[str, float]:
    """Median seconds of each; in every round all take their turn, so that what else the machine does falls on all."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    small = picture[: picture.shape[0] // 4, : picture.shape[1] // 4]
    for run in runs.values():
        run(small)  # what a first call prepares isn't the method's
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run(picture)
            found[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in found.items()}


def own_peak(method: str, build: Build, picture: Picture) -> int:
    """Bytes by which this process grows at most while the method works: for a process that did nothing else before."""
    run = run_of(method, build)
    before = psutil.Process().memory_info().rss
    run(picture)
    unit = 1 if sys.platform == "darwin" else 1024
    return max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before)


def measure_costs(
    models: Iterable[str], build: Build, peak: Callable[[str], int], rounds: int = 3,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
) -> pd.DataFrame:  # fmt: skip
    """A row a method, ``COLUMNS``: ``seconds`` and ``memory`` (MiB) a million pixels, NaN where nothing is counted.

    ``build`` makes a model with fresh weights; ``peak`` gives a method's ``own_peak`` with a picture of ``shape`` in a
    process of its own. ``parameters`` and ``gmacs`` of a deconvolution are its map's network's alone.
    """
    models = list(models)
    methods, megapixels = measured_methods(models), shape[0] * shape[1] / 1e6
    # first, while this process is small: on Linux a child's largest size begins with its parent's
    peaks = {method: peak(method) for method in methods}
    picture = measured_picture(*shape)
    seconds = seconds_side_by_side({method: run_of(method, build) for method in methods}, picture, rounds)
    rows = []
    for method in methods:
        model = method.removesuffix(DECONVOLVED)
        parameters, gmacs = counted(model, build) if model in models else (np.nan, np.nan)
        rows.append((method, parameters, gmacs, seconds[method] / megapixels, peaks[method] / MIB / megapixels,
                     megapixels, rounds, torch.get_num_threads()))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)
