"""How long schedules take to a given quality on the validation photos; the test photos are not opened.

    python benchmarks/time_to_quality.py [CANDIDATES.yaml] [--seeds 0] [--every 50] [--threads 2] [--steps SHARE]
                                         [--build build] [--out FILE.csv]

CANDIDATES.yaml is that of benchmarks/schedules.py; left out, params.yaml is trained as it is. Scenes and patches are
those of ``build`` (dvc repro patches makes them). Each candidate is trained through s1, s2 and s3 and validated each
``--every`` steps. Prints, as rows of docs/schedules.md, the seconds of training (validations and checkpoints left out)
until PSNR lies so much above the blurred pictures' (``GAINS``), and until the map's mean absolute error lies 20 % below
the best constant's; then all seconds, the last gain and the last error. Stages that are guided by the true map (s1)
count for the map alone. With ``--out`` rows are kept in that file, and a training that has one there isn't done again.
``--steps``: of each stage's steps take this share, to try the command out.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from schedules import STAGE_NAMES, Row, constant_map_error, kept, params_with, train_stages

from sftdec.datasets import load_scenes
from sftdec.evaluation import psnr
from sftdec.params import Params
from sftdec.runtime import keep_freed_memory, read_yaml
from sftdec.training import STAGES

GAINS = (0.3, 0.5, 0.7, 1.5, 1.7)  # dB; the validation photos gain twice what the test photos do
MAP = 0.8  # of the best constant map's error


class Course:
    """What has been validated of a training, and after how many seconds of it."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size, self.seconds = batch_size, 0.0
        self.gains: list[tuple[float, float]] = []  # seconds, PSNR (dB)
        self.errors: list[tuple[float, float]] = []  # seconds, the map's mean absolute error
        self._heard = ("", 0)  # the stage and step of the last report

    def report(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        """Hear what a training reports: its speed since the last report is that of the steps alone."""
        before = self._heard[1] if self._heard[0] == stage else 0
        self._heard = (stage, step)
        if step > before:
            self.seconds += self.batch_size * (step - before) / metrics["patches_per_second"]
        if "validation_psnr" in metrics:
            self.errors.append((self.seconds, metrics["validation_mae"]))
            if not STAGES[stage].guided_by_truth:
                self.gains.append((self.seconds, metrics["validation_psnr"]))

    def row(self, blurred: float, constant: float) -> Row:
        """Seconds to each aim, all seconds, the last gain (dB) and the last error."""
        aims = {
            f"s to +{gain} dB": first(self.gains, lambda psnr, least=blurred + gain: psnr >= least) for gain in GAINS
        }
        reached = first(self.errors, lambda error: error <= MAP * constant)
        last = {"gain (dB)": self.gains[-1][1] - blurred, "map's MAE": self.errors[-1][1]}
        return {**aims, "s to the map": reached, "s": self.seconds, **last}


def first(course: list[tuple[float, float]], reached: Any) -> float:
    """The seconds at which a figure is first reached; no number if it never is."""
    return next((seconds for seconds, found in course if reached(found)), np.nan)


def timed(params: Params, build: Path, blurred: float, constant: float) -> Row:
    """Train the three stages, and how long they took to what."""
    course = Course(params.train.common.batch_size)
    train_stages(params, build, course.report)
    return course.row(blurred, constant)


def cell(column: str, value: Any) -> str:
    """A figure as it is printed; a dash for none."""
    if isinstance(value, str) or column == "seed":
        return str(value)
    if np.isnan(value):
        return "–"
    return f"{value:+.2f}" if column == "gain (dB)" else f"{value:.4f}" if column == "map's MAE" else f"{value:.0f}"


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=50, help="steps between validations")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=float, default=1.0, help="share of each stage's steps")
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    keep_freed_memory()
    candidates = read_yaml(given.candidates) if given.candidates else {"params.yaml": {}}
    scenes = load_scenes(given.build / "scenes", "validation")
    blurred = float(np.mean([psnr(each.blurred, each.sharp) for each in scenes]))
    constant = constant_map_error(given.build)
    print(f"blurred {blurred:.2f} dB, best constant map {constant:.4f}\n")
    columns: list[str] = []
    for name, changes in candidates.items():
        for seed in given.seeds:
            own = {"train.common.seed": seed, "train.common.threads": given.threads}
            own |= {f"train.{stage}.validate_every": given.every for stage in STAGE_NAMES}
            if given.steps != 1.0:
                own |= shorter(params_with(changes | own, name), given.steps)
            params = params_with(changes | own, name)
            key = {"schedule": name, "seed": seed}
            row = kept(given.out, key, lambda params=params: timed(params, given.build, blurred, constant))
            if not columns:
                columns = list(row)
                print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
            print(f"| {' | '.join(cell(column, row[column]) for column in columns)} |", flush=True)


def shorter(params: Params, share: float) -> Row:
    """A share of each stage's steps, and of their warm-up."""
    changes = {}
    for name in STAGE_NAMES:
        stage = getattr(params.train, name)
        changes[f"train.{name}.steps"] = max(2, int(share * stage.steps))
        changes[f"train.{name}.warm_up"] = int(share * stage.warm_up)
    return changes


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
