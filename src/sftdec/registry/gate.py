"""The gate: whether a challenger is better than what serves, from the tables of both. It can say no."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Decision:
    """What the gate says, in words and figures (dB of mean PSNR; counts)."""

    promote: bool
    reason: str
    figures: Mapping[str, float]


def decide(challenger: pd.DataFrame, champion: pd.DataFrame | None, min_gain: float) -> Decision:
    """The gate: tables of one row an image (columns dataset, scene, psnr, psnr_blurred; PSNR in dB).

    The first version must beat the blurred input's mean PSNR by more than ``min_gain`` dB, a later one the
    champion's on exactly the same scenes. An empty table, a NaN or an infinite value is refused. Raises
    ``ValueError`` where a column is missing.
    """
    base_column = "psnr_blurred" if champion is None else "psnr"
    base = challenger if champion is None else champion
    for table, column in ((challenger, "psnr"), (base, base_column)):
        missing = [name for name in ("dataset", "scene", column) if name not in table.columns]
        if missing:
            raise ValueError(f"per-image table: columns {missing} are missing, found {list(table.columns)}")
    if difference := _scene_difference(challenger, base):
        reason = f"not the same scenes: {difference}; evaluate both on the same data"
        return Decision(False, reason, {"images": float(len(challenger))})
    mine, theirs = challenger["psnr"].to_numpy(float), base[base_column].to_numpy(float)
    if not len(mine) or not (np.isfinite(mine).all() and np.isfinite(theirs).all()):
        bad = int((~np.isfinite(mine)).sum() + (~np.isfinite(theirs)).sum())
        reason = f"{bad} PSNR values are NaN or infinite" if bad else "there are no images to judge by"
        return Decision(False, reason, {"images": float(len(mine))})
    rival = "blurred" if champion is None else "champion"
    gain = float(mine.mean() - theirs.mean())
    figures = {
        "challenger_psnr": float(mine.mean()),
        f"{rival}_psnr": float(theirs.mean()),
        "gain": gain,
        "min_gain": float(min_gain),
        "images": float(len(mine)),
    }
    opponent = "the blurred input" if champion is None else "the champion"
    verdict = "more than" if gain > min_gain else "not more than"
    reason = (
        f"mean PSNR {mine.mean():.3f} dB is {gain:+.3f} dB against {opponent} ({theirs.mean():.3f} dB) on "
        f"{len(mine)} images, {verdict} the {min_gain:+.3f} dB asked for"
    )
    return Decision(gain > min_gain, reason, figures)


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
