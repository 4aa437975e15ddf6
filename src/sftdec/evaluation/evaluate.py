"""Runs a network over a data set's scenes and writes down how well it did."""

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from sftdec.evaluation.metrics import (
    MapLevels,
    Metrics,
    Picture,
    best_constant_mae,
    best_constant_mse,
    count_levels,
    map_errors,
    psnr,
    ssim,
    to_uint8,
)
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    from sftdec.datasets import Scene
    from sftdec.networks import SFTDec
    from sftdec.peers import AnyPeer

Row = dict[str, str | int | float]
OnScene = Callable[["Scene", Picture, NDArray[np.float32]], None]

MEASURES = [
    "psnr",
    "psnr_blurred",
    "ssim",
    "ssim_blurred",
    "mae",
    "mse",
    "mae_constant",
    "mse_constant",
    "mae_constant_own",
]
MAP_MEASURES = [each for each in MEASURES if each.startswith(("mae", "mse"))]  # NaN where no map is known, or estimated
LOCAL_MEASURES = ["psnr_local_pooling", "ssim_local_pooling"]  # where they were asked for
COLUMNS = ["dataset", "scene", *MEASURES, "height", "width"]
DECIMALS = 6


def training_window(network: "SFTDec | AnyPeer") -> int | None:
    """The window (px) for `local_pooling`: the crops' that the network was trained on.

    None where they aren't known, or there is no channel part.
    """
    return network.training_crop if network.has_channel_part else None


def evaluate_network(
    network: "SFTDec | AnyPeer",
    scenes: "Iterable[Scene]",
    device: str = "cpu",
    on_scene: OnScene | None = None,
    local_pooling: int | None = None,
) -> pd.DataFrame:
    """Deblur every scene whole and measure it: one row a picture, `COLUMNS`, in the order of `scenes`.

    PSNR in dB, sizes in px, map errors in units of sigma / the scene's sigma_max: the network's map is brought
    from its own sigma_max to the scene's and clipped to 0..1. Measures are rounded to 6 decimals.
    `mae_constant` and `mse_constant` are the errors of the data set's one best constant (for each its own: median
    and mean) on that picture's map, `mae_constant_own` that of the picture's own; `mae` and `mse` are NaN for a peer
    that estimates no map. `network` must be on `device`; one scene is held in memory at a time.
    `on_scene(scene, deblurred uint8 H×W×3, estimate float32 H×W in the scene's 0..1)` is called after each.
    `local_pooling`: px of a window; each scene is then deblurred once more with its channel parts pooled by windows,
    and `LOCAL_MEASURES` are added; all else is of the network as it came.

    Raises:
        ValueError: there are no scenes, a pair's blurred picture is its sharp one, `local_pooling` for a network
            without channel parts, or, with the scene's name, whatever else cannot be measured.
    """
    rows: list[Row] = []
    maps: dict[str, list[MapLevels]] = {}
    bar = tqdm(scenes, desc="evaluate", unit="photo", disable=None)
    for scene in bar:
        row, deblurred, estimate = _measure(network, scene, device)
        if local_pooling is not None:
            row |= _measure_local(network, scene, device, local_pooling)
        rows.append(row)
        bar.set_postfix(psnr=f"{row['psnr']:.2f}", refresh=False)
        maps.setdefault(scene.dataset, []).append(count_levels(scene.defocus))
        if on_scene is not None:
            on_scene(scene, deblurred, estimate)
    if not rows:
        raise ValueError("no scenes to evaluate: the data set's test split is empty; add pictures to it")
    for measure, of_best_constant in (("mae_constant", best_constant_mae), ("mse_constant", best_constant_mse)):
        errors = {dataset: iter(of_best_constant(levels)[1]) for dataset, levels in maps.items()}
        for row in rows:
            row[measure] = next(errors[str(row["dataset"])])
    added = [] if local_pooling is None else LOCAL_MEASURES
    per_image = pd.DataFrame(rows, columns=[*COLUMNS, *added])
    return per_image.round(dict.fromkeys([*MEASURES, *added], DECIMALS))


def _measure(network: "SFTDec | AnyPeer", scene: "Scene", device: str) -> tuple[Row, Picture, NDArray[np.float32]]:
    """One scene's row (without the data set's constant), its deblurred picture and its estimated map."""
    from sftdec.inference import deblur_array

    if np.array_equal(scene.blurred, scene.sharp):
        raise ValueError(
            f"{scene.name}: the blurred picture is its sharp one, bit by bit, so its PSNR would be infinite; "
            "correct the pairing or leave it out of the test split"
        )
    try:
        restored, estimate = deblur_array(network, scene.blurred, device)
        deblurred = to_uint8(restored)
        estimate = np.clip(estimate * np.float32(network.config.sigma_max / scene.sigma_max), 0, 1)
        maps = getattr(network, "estimates_map", True)  # peers may have none
        mae, mse = map_errors(estimate, scene.defocus) if maps else (math.nan, math.nan)
        row: Row = {
            "dataset": scene.dataset,
            "scene": scene.name,
            "psnr": psnr(deblurred, scene.sharp),
            "psnr_blurred": psnr(scene.blurred, scene.sharp),
            "ssim": ssim(deblurred, scene.sharp),
            "ssim_blurred": ssim(scene.blurred, scene.sharp),
            "mae": mae,
            "mse": mse,
            "mae_constant_own": best_constant_mae([scene.defocus])[1][0],
            "height": scene.sharp.shape[0],
            "width": scene.sharp.shape[1],
        }
    except ValueError as error:
        raise ValueError(f"{scene.name}: {error}") from error
    return row, deblurred, estimate


def _measure_local(network: "SFTDec | AnyPeer", scene: "Scene", device: str, window: int) -> Row:
    """`LOCAL_MEASURES` of one scene; the network is left as it came."""
    from sftdec.inference import deblur_array

    if not hasattr(network, "local_pooling"):
        raise ValueError(
            f"local pooling: found {type(network).__name__}, which has no channel part; expected an SFTDec"
        )
    with network.local_pooling(window):  # type: ignore[operator]
        deblurred = to_uint8(deblur_array(network, scene.blurred, device)[0])
    return {"psnr_local_pooling": psnr(deblurred, scene.sharp), "ssim_local_pooling": ssim(deblurred, scene.sharp)}


def summarise(per_image: pd.DataFrame) -> Metrics:
    """What metrics.json holds: per data set the means over its pictures, `improved` and `images`.

    `LOCAL_MEASURES` are among them where the table has them, `MAP_MEASURES` where there were maps. `improved` is the
    share (0..1) of pictures whose PSNR rose. Numbers are rounded to 6 decimals.

    Raises:
        ValueError: the table is empty, lacks a column, or a measure is not a finite number.
    """
    missing = [column for column in ["dataset", "scene", *MEASURES] if column not in per_image.columns]
    if missing:
        raise ValueError(f"per-image table lacks {', '.join(missing)}; expected the columns {', '.join(COLUMNS)}")
    if per_image.empty:
        raise ValueError("per-image table has no rows; evaluate at least one scene")
    metrics: Metrics = {}
    for dataset, rows in per_image.groupby("dataset", sort=True):
        summary: dict[str, float | int] = {}
        for measure in [*MEASURES, *(column for column in LOCAL_MEASURES if column in rows)]:
            if measure in MAP_MEASURES and rows[measure].isna().all():
                continue
            mean = float(rows[measure].mean(skipna=False))
            if not math.isfinite(mean):
                scene = rows["scene"][~np.isfinite(rows[measure])].iloc[0]
                raise ValueError(f"{dataset}: {measure} of {scene} is not a finite number; leave that picture out")
            summary[measure] = round(mean, DECIMALS)
        summary["improved"] = round(float((rows["psnr"] > rows["psnr_blurred"]).mean()), DECIMALS)
        summary["images"] = len(rows)
        metrics[str(dataset)] = summary
    return metrics


def write_metrics(path: Path, metrics: Metrics) -> None:
    """Write `summarise`'s result as JSON, atomically; equal metrics give equal bytes.

    Raises:
        ValueError: there is no data set, one has no pictures, or a number is not finite.
    """
    if not metrics:
        raise ValueError(f"{path}: no data set was evaluated; name one in params.yaml that has test pictures")
    for dataset, summary in metrics.items():
        if not summary.get("images"):
            raise ValueError(f"{path}: data set {dataset} has no pictures; its metrics would say nothing")
        for name, value in summary.items():
            if not math.isfinite(value):
                raise ValueError(f"{path}: {dataset}.{name} is {value}; expected a finite number")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def write_per_image(path: Path, per_image: pd.DataFrame) -> None:
    """Write the per-image table as Parquet, atomically; equal tables give equal bytes.

    Raises:
        ValueError: the table is empty.
    """
    if per_image.empty:
        raise ValueError(f"{path}: the per-image table has no rows; evaluate at least one scene")
    with atomic_path(path) as temporary:
        per_image.to_parquet(temporary, engine="pyarrow", index=False, compression="zstd")
