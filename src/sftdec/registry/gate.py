"""The gate: whether a challenger is better than what serves, from the tables of both. It can say no."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sftdec.evaluation import DECIMALS, paired_interval
from sftdec.params import GateParams

KEY = ["dataset", "scene"]
PHOTO = ["dataset", "photo"]


@dataclass(frozen=True)
class Decision:
    """What the gate says, in words and figures (PSNR and its gains in dB; counts)."""

    promote: bool
    reason: str
    figures: Mapping[str, float]


def decide(challenger: pd.DataFrame, champion: pd.DataFrame | None, gate: GateParams) -> Decision:
    """The gate: tables of one row an image (dataset, scene, psnr in dB, ssim; a first version's also psnr_blurred
    and ssim_blurred; the challenger's also photo, where a photo may have several images).

    A photo counts once, with the mean of its images: renderings of one photo resemble each other, and an interval that
    took them for independent would be too narrow.

    A challenger must show, on exactly the champion's scenes, a mean PSNR gain whose paired interval at ``gate.level``
    lies above ``gate.min_gain`` dB, a mean SSIM that is not lower, and no data set whose mean PSNR falls by more than
    ``gate.max_loss`` dB. A first version (``champion`` None) must show all that against the blurred input. A single
    photo, a NaN or an infinite value is refused. Raises ``ValueError`` where a column is missing.
    """
    base = _blurred_input(challenger) if champion is None else champion
    for table in (challenger, base):
        if missing := [name for name in (*KEY, "psnr", "ssim") if name not in table.columns]:
            raise ValueError(f"per-image table: columns {missing} are missing, found {list(table.columns)}")
    images = {"images": float(len(challenger))}
    if difference := _scene_difference(challenger, base):
        return Decision(False, f"not the same scenes: {difference}; evaluate both on the same data", images)
    paired = challenger.merge(base.drop(columns="photo", errors="ignore"), on=KEY, suffixes=("", "_base")).sort_values(
        KEY
    )
    values = paired[["psnr", "psnr_base", "ssim", "ssim_base"]].to_numpy(float)
    if bad := int((~np.isfinite(values)).sum()):
        return Decision(False, f"{bad} PSNR or SSIM values are NaN or infinite", images)
    photos = _of_photos(paired)
    if len(photos) < 2:
        found = f"there is one photo ({len(paired)} of its images)" if len(photos) else "there are no photos"
        return Decision(False, f"{found} to judge by, and a gain's interval needs two or more", images)
    return _weigh(photos, "champion" if champion is not None else "blurred", gate)


def _of_photos(paired: pd.DataFrame) -> pd.DataFrame:
    """A row a photo: the means of its images, and their number (images); without photos each image is one."""
    named = paired if "photo" in paired.columns else paired.assign(photo=paired["scene"])
    means = {name: (name, "mean") for name in ("psnr", "psnr_base", "ssim", "ssim_base")}
    return named.groupby(PHOTO, as_index=False).agg(**means, images=("scene", "size"))


def _weigh(paired: pd.DataFrame, rival: str, gate: GateParams) -> Decision:
    """The three rules, on one table of both, a row a photo."""
    gains = paired["psnr"] - paired["psnr_base"]
    interval = paired_interval(gains.to_numpy(float), gate.level)
    of_sets = {str(name): float(gain) for name, gain in gains.groupby(paired["dataset"]).mean().round(DECIMALS).items()}
    worst = min(of_sets, key=lambda name: of_sets[name])
    ssim_gain = round(float((paired["ssim"] - paired["ssim_base"]).mean()), DECIMALS)
    mine, theirs = float(paired["psnr"].mean()), float(paired["psnr_base"].mean())
    figures = {
        "challenger_psnr": mine,
        f"{rival}_psnr": theirs,
        "gain": interval.mean,
        "gain_low": interval.low,
        "gain_high": interval.high,
        "level": gate.level,
        "min_gain": gate.min_gain,
        "ssim_gain": ssim_gain,
        "worst_set_gain": of_sets[worst],
        "max_loss": gate.max_loss,
        "images": float(paired["images"].sum()),
        "photos": float(len(paired)),
        "improved": float((gains > 0).sum()),
        **{f"gain.{name}": gain for name, gain in of_sets.items()},
    }
    opponent = "the blurred input" if rival == "blurred" else "the champion"
    measured = (
        f"mean PSNR {mine:.3f} dB is {interval.mean:+.3f} dB against {opponent} ({theirs:.3f} dB) on {len(paired)} "
        f"photos, {100 * gate.level:g} % interval {interval.low:+.3f} to {interval.high:+.3f} dB"
    )
    above = interval.low > gate.min_gain
    verdicts = {
        f"{measured}, {'above' if above else 'not above'} the {gate.min_gain:+.3f} dB asked for": above,
        f"mean SSIM {ssim_gain:+.4f}{' is lower' if ssim_gain < 0 else ''}": ssim_gain >= 0,
        f"data set {worst} {of_sets[worst]:+.3f} dB, at most {gate.max_loss:.3f} dB may be lost": (
            of_sets[worst] >= -gate.max_loss
        ),
    }
    failed = [text for text, holds in verdicts.items() if not holds]
    return Decision(not failed, "; ".join(failed or verdicts), figures)


def _blurred_input(table: pd.DataFrame) -> pd.DataFrame:
    """The blurred input's own figures, as a network's that does nothing."""
    columns = {"psnr_blurred": "psnr", "ssim_blurred": "ssim"}
    if missing := [name for name in (*KEY, *columns) if name not in table.columns]:
        raise ValueError(f"per-image table: columns {missing} are missing, found {list(table.columns)}")
    return table[[*KEY, *columns]].rename(columns=columns)  # without its photos: the challenger's count


def _scene_difference(challenger: pd.DataFrame, base: pd.DataFrame) -> str:
    """In words, why the two tables can't be compared row by row; empty where they can."""
    mine, theirs = (list(zip(table["dataset"], table["scene"], strict=True)) for table in (challenger, base))
    if len(set(mine)) < len(mine) or len(set(theirs)) < len(theirs):
        return "a table has a scene twice"
    only_mine, only_theirs = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
    parts = [
        f"{len(only)} only {where} (as {'/'.join(map(str, only[0]))})"
        for only, where in ((only_mine, "in the challenger's table"), (only_theirs, "in the champion's"))
        if only
    ]
    return ", ".join(parts)
