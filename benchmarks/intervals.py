"""How often the tables' interval holds the truth, and how wide to expect it: simulated trainings, folds and photos.

    python benchmarks/intervals.py [--times 5000] [--level 0.95] [--judged build/table3]

Coverage: of ``--times`` simulated comparisons without any true difference, the share whose interval
(``evaluation.clustered``) holds 0. A picture's difference is the sum of what its fold's trainings do better by chance,
what its photo does, and what the rendering does; the first is 0, as small as the photos' part of the mean, or far
larger; photos' parts are normal, heavy-tailed or skew. It should say 95 within 1 in every row.

Half-widths: the expected one (dB) by numbers of photos and folds, and by how far trainings and photos spread. Longer
trainings make the first smaller. ``--judged`` takes both from an experiment's cells: every two variants of a stage.
"""

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from sftdec.evaluation import clustered

RENDERINGS = 4
LAYOUTS = {  # photos of each fold
    "tables 1 and 2 of three photos, one training": (3,),
    "tables 1 and 2 of twelve": (12,),
    "three folds of 8": (8, 8, 8),
    "three folds of 109": (37, 36, 36),
    "six folds of 24": (4,) * 6,
    "six folds of 109": (19, 18, 18, 18, 18, 18),
}
DRAWS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda g, count: g.standard_normal(count),
    "Student t, 5": lambda g, count: g.standard_t(5, count) / np.sqrt(5 / 3),
    "gamma, skew 1": lambda g, count: (g.gamma(4, size=count) - 4) / 2,
}
SPREADS = {"none": 0.0, "as the photos'": 1.0, "ten times": 10.0}  # of trainings, against the photos' part of a fold
PHOTO, RENDERING = 0.1, 0.1  # dB


def comparison(
    generator: np.random.Generator, layout: tuple[int, ...], spread: float, kind: str
) -> tuple[NDArray[np.float64], ...]:
    """Differences without a true one, and whose each is: photo and fold."""
    photos = sum(layout)
    photo, fold = (
        np.repeat(np.arange(photos), RENDERINGS),
        np.repeat(np.repeat(np.arange(len(layout)), layout), RENDERINGS),
    )
    trainings = spread * PHOTO / np.sqrt(photos / len(layout)) * generator.standard_normal(len(layout))
    if len(layout) == 1:
        trainings = np.zeros(1)  # what the interval of a single training doesn't speak of
    own = PHOTO * DRAWS[kind](generator, photos)
    return trainings[fold] + own[photo] + RENDERING * generator.standard_normal(len(photo)), photo, fold


def coverage(layout: tuple[int, ...], spread: float, kind: str, times: int, level: float = 0.95) -> float:
    """The share of intervals that hold 0."""
    generator = np.random.default_rng(0)
    return (
        sum(0 in clustered(*comparison(generator, layout, spread, kind)).interval(level) for _ in range(times)) / times
    )


def half_width(photos: int, folds: int, training: float, photo: float, level: float = 0.95) -> float:
    """The interval's expected half-width; spreads (dB) are of one training and of one photo's mean."""
    error = np.sqrt(training**2 / folds + photo**2 / photos)
    return float(student.ppf((1 + level) / 2, folds - 1) * error)


def spreads_of(build: Path) -> pd.DataFrame:
    """By stage the median spread (dB) of differences between two variants: of trainings, and of photos' means."""
    rows = []
    for path in sorted(build.glob("cells/*/*/per_image/*.parquet")):
        table = pd.read_parquet(path)
        means = table[table["split"] == "test"].groupby("photo")["psnr"].mean()
        rows += [(path.stem, path.parts[-4], path.parts[-3], photo, value) for photo, value in means.items()]
    table = pd.DataFrame(rows, columns=["stage", "variant", "fold", "photo", "psnr"])
    found = []
    for stage, own in table.groupby("stage"):
        wide = own.pivot(index=["fold", "photo"], columns="variant", values="psnr")
        for first, second in itertools.combinations(wide.columns, 2):
            gains = (wide[first] - wide[second]).dropna().groupby("fold")
            photo = float(np.sqrt(gains.var().mean()))
            training = float(np.sqrt(max(0.0, gains.mean().var() - photo**2 * (1 / gains.size()).mean())))
            found.append((stage, training, photo))
    return pd.DataFrame(found, columns=["stage", "training", "photo"]).groupby("stage").median()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5_000)
    parser.add_argument("--level", type=float, default=0.95)
    parser.add_argument("--judged", type=Path, help="an experiment's folder in build/")
    given = parser.parse_args()
    print(f"{'layout':<46}{'photos':<15}" + "".join(f"{name:>16}" for name in SPREADS))
    for (name, layout), kind in itertools.product(LAYOUTS.items(), DRAWS):
        spreads = SPREADS if len(layout) > 1 else {"none": 0.0}
        found = (coverage(layout, spread, kind, given.times, given.level) for spread in spreads.values())
        print(f"{name:<46}{kind:<15}" + "".join(f"{share:>16.1%}" for share in found), flush=True)
    cases = {"": (0.02, 0.08), " ": (0.05, 0.08)}
    if given.judged:
        cases = {str(row.Index): (row.training, row.photo) for row in spreads_of(given.judged).itertuples()}
    for stage, (training, photo) in cases.items():
        print(f"\n{stage.strip()} trainings spread by {training:.3f} dB, photos by {photo:.3f} dB; half-width (dB)")
        print("photos" + "".join(f"{folds:>9} folds" for folds in (3, 6, 12)))
        for photos in (12, 24, 48, 109):
            widths = (half_width(photos, folds, training, photo, given.level) for folds in (3, 6, 12))
            print(f"{photos:<6}" + "".join(f"{width:>15.3f}" for width in widths))


if __name__ == "__main__":
    main()
