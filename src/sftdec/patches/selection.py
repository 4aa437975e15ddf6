"""Which patches of a set are worth training on: sharp ones, and as many of each amount of defocus."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

OUTER_SHARE = 0.05  # of the patches, beyond the outermost bounds: a few extreme ones don't decide how many are kept


def select_patches(statistics: pd.DataFrame, drop_least_sharp: float, balance_levels: int = 0) -> NDArray[np.int64]:
    """Row numbers of the patches to keep, rising; ``statistics`` has a row a patch (sigma_mean, sharpness).

    The share ``drop_least_sharp`` (0..1) of the *whole set* with the least sharpness goes first: flat patches teach
    little. Then, with two or more ``balance_levels``, the patches are balanced over defocus (``balance``).
    """
    order = statistics["sharpness"].to_numpy().argsort(kind="stable")
    kept = np.sort(order[int(len(statistics) * drop_least_sharp) :])
    if balance_levels < 2 or not len(kept):
        return kept
    return kept[balance(statistics["sigma_mean"].to_numpy()[kept], balance_levels)]


def balance(sigma: NDArray[np.float64], levels: int) -> NDArray[np.int64]:
    """Places in ``sigma`` (px, a value a patch) to keep so that every level of defocus has the same number.

    The levels are ``levels`` bins of equal width between the 5th and the 95th percentile of ``sigma``; what lies
    beyond belongs to the outermost two. Each level is cut to the number of the rarest one that isn't empty. Of a
    level that is cut, patches at even distances remain, so that every scene keeps its share: nothing is drawn, and
    nothing is repeated: a training as long as its steps shows each patch once before any a second time (one as long as
    its epochs shows every scene as often). Fewer levels keep more patches.
    """
    low, high = np.quantile(sigma, [OUTER_SHARE, 1 - OUTER_SHARE])
    level = np.digitize(sigma, np.linspace(low, high, levels + 1)[1:-1])
    members = [np.flatnonzero(level == number) for number in np.unique(level)]
    count = min(len(places) for places in members)
    return np.sort(np.concatenate([places[np.arange(count) * len(places) // count] for places in members]))
