"""The first part of the page: figures, what they mean in words, and a row for each picture."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sftdec.datasets import read_index
from sftdec.evaluation import Interval, paired_interval
from sftdec.reporting.report.material import Material

LEVEL = 0.95  # of the intervals that a figure's colour goes by
_COMPARED = {
    "psnr": ("psnr_blurred", 1),
    "ssim": ("ssim_blurred", 1),
    "mae": ("mae_constant", -1),
    "psnr_local_pooling": ("psnr", 1),
}
_COLOURS = {"holds": "better", "doesn't hold": "worse", "can't be told": "equal"}
Row = dict[str, Any]
Rows = Mapping[tuple[str, str], Row]


def picture_rows(per_image: pd.DataFrame) -> Rows:
    """Each picture's numbers by (data set, scene), with its gain in dB and its bar's place in per cent."""
    if per_image.empty:
        return {}
    bars = gain_bars(per_image["psnr"] - per_image["psnr_blurred"])
    return {
        (str(record["dataset"]), str(record["scene"])): {str(key): value for key, value in record.items()} | bar
        for record, bar in zip(per_image.to_dict("records"), bars, strict=True)
    }


def gain_bars(gains: Iterable[float]) -> list[dict[str, float]]:
    """Each gain in dB, and where its bar from 0 begins and how long it is, in per cent of what all of them reach."""
    values = [float(gain) for gain in gains]
    low, high = min(0.0, *values), max(0.0, *values)
    span = high - low or 1.0
    places = [sorted([(0 - low) / span * 100, (gain - low) / span * 100]) for gain in values]
    return [
        {"gain": gain, "left": left, "width": right - left} for gain, (left, right) in zip(values, places, strict=True)
    ]


def key_figures(material: Material, rows: Rows) -> list[Row]:
    """Per data set what the cards and the sentences beside them say.

    `less` is by how much (0..1) the squared error fell, the geometric mean over pictures; errors of maps are also
    given in px of sigma where `scenes` are there to say what 1 stands for. `verdicts`: of each measure, better or
    worse where the interval over the photos lies on one side of what it is compared with, else equal; `interval` is
    that of the gain. Where `scenes` don't say whose pictures are of one photo, each counts as one.
    """
    judged, photos = _judged(material), photos_of(material)
    found = []
    for name, values in material.metrics.items():
        mine = sorted((row for (dataset, _), row in rows.items() if dataset == name), key=lambda row: row["gain"])
        gain = values["psnr"] - values["psnr_blurred"]
        count, sigma_max = judged.get(name, (None, None))
        units = [photos.get((name, row["scene"]), row["scene"]) for row in mine]
        intervals = {measure: _interval(mine, units, measure, other) for measure, (other, _) in _COMPARED.items()}
        found.append(
            {
                "name": name,
                "values": values,
                "gain": gain,
                "verdicts": {
                    measure: _COLOURS[interval.verdict(_COMPARED[measure][1])] if interval else "equal"
                    for measure, interval in intervals.items()
                },
                "interval": intervals["psnr"],
                "less": 1 - 10 ** (-gain / 10),
                "improved": round(values["improved"] * values["images"]),
                "least": mine[0],
                "most": mine[-1],
                "photos": count,
                "sigma_max": sigma_max,
            }
        )
    return found


def _interval(rows: list[Row], units: list[str], measure: str, beside: str) -> Interval | None:
    """Of the mean difference, one a photo; None for less than two photos, or where a figure is missing."""
    differences = pd.Series([row.get(measure, np.nan) - row[beside] for row in rows], dtype=float)
    if len(set(units)) < 2 or not np.isfinite(differences).all():
        return None
    return paired_interval(differences.groupby(units).mean().to_numpy(), LEVEL)


def photos_of(material: Material) -> Mapping[tuple[str, str], str]:
    """Which photo a picture, by (data set, scene), is of; empty without ``scenes``."""
    if material.scenes is None:
        return {}
    index = read_index(material.scenes)
    return dict(zip(zip(index["dataset"], index["scene"], strict=True), index["photo"], strict=True))


def _judged(material: Material) -> dict[str, tuple[int, float]]:
    """Per data set: of how many photos the judged pictures are, and how many px of sigma a map's 1 stands for."""
    if material.scenes is None:
        return {}
    index = read_index(material.scenes)
    pairs = index[["dataset", "scene"]].apply(tuple, axis=1)
    mine = index[pairs.isin(list(material.per_image[["dataset", "scene"]].itertuples(index=False, name=None)))]
    return {
        str(name): (int(part["photo"].nunique()), float(part["sigma_max"].iloc[0]))
        for name, part in mine.groupby("dataset")
    }


def parameters(material: Material) -> int | None:
    """How many numbers the network's weights file holds; None without a file."""
    from math import prod

    from safetensors import safe_open

    if material.weights is None:
        return None
    with safe_open(material.weights, framework="numpy") as tensors:
        return sum(int(prod(tensors.get_slice(name).get_shape())) for name in tensors.keys())  # noqa: SIM118
