"""How often the gate lets a challenger in that is no better, and how often one that is: simulated photos.

    python benchmarks/gate.py [--challengers 1000] [--photos 6 12 50] [--spread 0.2] [--replicates 2000] [--trained]

Each challenger's gain (dB) over the champion on each photo is drawn from a distribution whose mean is 0 and whose
standard deviation is ``--spread``; it gets in where the low end of its interval at ``--level`` is above 0. Prints, of
``--challengers``, how many get in: by the gate's own interval (``evaluation.paired_interval``), by the two bootstraps
it is made of, and by scipy's percentile and BCa bootstraps; and by the gate's where all photos are shifted by -0.1 and
+0.1 dB. ``--trained``: gains as they are, in place of a distribution, drawn from the differences between networks of
table 3 (``build/table3``) of one fold, one of two made to be no better by taking the mean away.
"""

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from sftdec.evaluation import _studentized, paired_interval

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]
# each with mean 0 and standard deviation 1
DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda g, shape: g.standard_normal(shape),
    "Laplace": lambda g, shape: g.laplace(size=shape) / np.sqrt(2),
    "Student t, 3": lambda g, shape: g.standard_t(3, shape) / np.sqrt(3),
    "one in ten five times as far": lambda g, shape: (
        g.standard_normal(shape) * np.where(g.random(shape) < 0.1, 5, 1) / np.sqrt(3.4)
    ),
    "rare great gains (exponential)": lambda g, shape: g.exponential(size=shape) - 1,
    "rare great losses (exponential)": lambda g, shape: 1 - g.exponential(size=shape),
    "rarer greater losses (lognormal)": lambda g, shape: (np.exp(0.5) - g.lognormal(size=shape)) / 2.1612,
}


def between_variants(folder: Path) -> dict[str, Draw]:
    """Draws of the differences on a photo between two variants' networks of a fold, both ways, in their own spread."""
    found = []
    for fold in sorted({path.name for path in folder.glob("cells/*/*")}):
        tables = [pd.read_parquet(path) for path in sorted(folder.glob(f"cells/*/{fold}/per_image/s3.parquet"))]
        for first, second in itertools.permutations(tables, 2):
            gains = (first["psnr"] - second["psnr"]).to_numpy()
            found.append((gains - gains.mean()) / gains.std())
    pool = np.concatenate(found)
    return {"another variant's training": lambda g, shape: g.choice(pool, shape)}


def lows(gains: NDArray[np.float64], level: float, replicates: int) -> dict[str, float]:
    """The low end of each method's interval."""
    tail, error = (1 - level) / 2, gains.std(ddof=1) / np.sqrt(len(gains))
    simple = {
        method: stats.bootstrap(
            (gains,),
            np.mean,
            confidence_level=level,
            n_resamples=replicates,
            method=method,
            rng=np.random.default_rng(0),
            vectorized=True,
        ).confidence_interval.low
        for method in ("percentile", "BCa")
    }
    return {
        "gate": paired_interval(gains, level, replicates).low,
        "bootstrap-t": gains.mean() - error * np.quantile(_studentized(gains, replicates), 1 - tail),
        "Student t": gains.mean() - error * stats.t.ppf(1 - tail, len(gains) - 1),
        **simple,
    }


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challengers", type=int, default=1000)
    parser.add_argument("--photos", type=int, nargs="+", default=[6, 12, 50])
    parser.add_argument("--spread", type=float, nargs="+", default=[0.2])
    parser.add_argument("--level", type=float, default=0.99)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--trained", action="store_true")
    given = parser.parse_args()
    distributions = between_variants(Path("build/table3")) if given.trained else DISTRIBUTIONS
    methods = ["gate", "bootstrap-t", "Student t", "percentile", "BCa"]
    print(f"of {given.challengers} challengers that are no better this many get in, level {given.level:g}")
    print(
        f"{'photos':>6} {'dB':>5} {'gains':<34}"
        + "".join(f"{m:>12}" for m in methods)
        + f"{'-0.1 dB':>9}{'+0.1 dB':>9}"
    )
    for photos in given.photos:
        for spread in given.spread:
            for name, draw in distributions.items():
                drawn = spread * draw(np.random.default_rng(photos), (given.challengers, photos))
                ends = [lows(gains, given.level, given.replicates) for gains in drawn]
                counts = [sum(end[method] > 0 for end in ends) for method in methods]
                shifted = [sum(end["gate"] + shift > 0 for end in ends) for shift in (-0.1, 0.1)]
                row = "".join(f"{count:>12}" for count in counts) + "".join(f"{count:>9}" for count in shifted)
                print(f"{photos:>6} {spread:>5g} {name:<34}{row}", flush=True)


if __name__ == "__main__":
    main()
