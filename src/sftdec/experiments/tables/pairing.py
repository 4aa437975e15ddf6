"""Two methods compared scene by scene; the interval speaks of other photos, not of other scenes of these."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sftdec.evaluation import Interval
from sftdec.experiments.tables.ablation import SCENE, bootstrap_interval
from sftdec.experiments.tables.methods import LARGER_IS_BETTER, Measure


class Paired(NamedTuple):
    """A method minus another in one measure.

    ``mean`` is over scenes; ``better``: scenes in which the method is ahead; ``interval`` is None for one photo.
    """

    mean: float
    interval: Interval | None
    scenes: int
    better: int
    photos: int


def paired_difference(
    method: pd.DataFrame, other: pd.DataFrame, measure: Measure, level: float, replicates: int
) -> Paired:
    """One method's rows minus another's, matched by scene; columns ``dataset``, ``scene``, ``photo``, ``measure``.

    The scenes of a photo are no independent witnesses, so the interval is the parametric bootstrap of
    ``ablation.bootstrap_interval`` over photos: each photo counts by what its scenes add to the mean, which for equally
    many scenes a photo is its own mean. (Resampling three photos, as ``registry.interval`` does with a dozen pictures,
    gives ends that hang on two photos that happen to be alike.)

    Raises:
        ValueError: the two were not judged on the same scenes, a scene stands twice, or a figure is not finite.
    """
    mine, theirs = (rows.set_index(SCENE)[measure] for rows in (method, other))
    if mine.index.has_duplicates or theirs.index.has_duplicates or set(mine.index) != set(theirs.index):
        raise ValueError(
            f"{measure}: found {len(mine)} and {len(theirs)} rows, not of the same scenes, once each; judge both "
            "methods again on one set of scenes"
        )
    gains = (mine - theirs.reindex(mine.index)).sort_index()
    if not np.isfinite(gains).all():
        scene = gains.index[~np.isfinite(gains.to_numpy(float))][0]
        raise ValueError(f"{measure} of {'/'.join(scene)} is not a finite number; leave that scene out")
    mean = float(gains.mean())
    photo = method.set_index(SCENE)["photo"].reindex(gains.index).to_numpy()
    sums = (gains - mean).groupby(photo).sum().to_numpy(float)
    by_photo = mean + sums * len(sums) / len(gains)
    interval = None
    if len(by_photo) > 1:
        # the function's second level is the scenes; with two equal columns there is nothing left for it to add
        interval = bootstrap_interval(np.column_stack([by_photo, by_photo]), level, replicates)
    sign = 1 if LARGER_IS_BETTER[measure] else -1
    return Paired(mean, interval, len(gains), int((sign * gains > 0).sum()), len(by_photo))
