"""How long schedules take to a given quality on the validation photos; the test photos are not opened.

    python benchmarks/time_to_quality.py [CANDIDATES.yaml] [--seeds 0] [--every 50] [--threads 2] [--build build]

CANDIDATES.yaml is that of benchmarks/schedules.py; left out, params.yaml is trained as it is. Scenes and patches are
those of ``build`` (dvc repro patches makes them). Each candidate is trained through s1, s2 and s3 and validated each
``--every`` steps. Prints, as rows of docs/schedules.md, the seconds of training (validations and checkpoints left out)
until PSNR lies +0.3, +0.5 and +0.7 dB above the blurred pictures', and until the map's mean absolute error lies 20 %
below the best constant's; then all seconds, the last gain and the last error. Stages that are guided by the true map
(s1) count for the map alone.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, while torch is loaded

import numpy as np
from ruamel.yaml import YAML
from schedules import constant_map_error, with_changes

from sftdec.datasets import load_scenes
from sftdec.evaluation import psnr
from sftdec.networks import save_weights
from sftdec.params import Params
from sftdec.runtime import keep_freed_memory
from sftdec.training import STAGES, train_sft_dec, weights_path

GAINS = (0.3, 0.5, 0.7)  # dB
MAP = 0.8  # of the best constant map's error


class Course:
    """What has been validated of a training, and after how many seconds of it."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size, self.seconds, self.stage = batch_size, 0.0, ""
        self.gains: list[tuple[float, float]] = []  # seconds, PSNR (dB)
        self.errors: list[tuple[float, float]] = []  # seconds, the map's mean absolute error
        self._step = 0

    def begin(self, stage: str) -> None:
        """Follow this stage from its first step."""
        self.stage, self._step = stage, 0

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """Hear what a training reports: its speed since the last report is that of the steps alone."""
        self.seconds += self.batch_size * (step - self._step) / metrics["patches_per_second"]
        self._step = step
        if "validation_psnr" in metrics:
            self.errors.append((self.seconds, metrics["validation_mae"]))
            if not STAGES[self.stage].guided_by_truth:
                self.gains.append((self.seconds, metrics["validation_psnr"]))

    def row(self, blurred: float, constant: float) -> list[str]:
        """The cells of a row: seconds to each aim, all seconds, the last gain (dB) and the last error."""
        aims = [first(self.gains, lambda found, gain=gain: found >= blurred + gain) for gain in GAINS]
        reached = first(self.errors, lambda found: found <= MAP * constant)
        last = f"{self.gains[-1][1] - blurred:+.2f}", f"{self.errors[-1][1]:.4f}"
        return [*aims, reached, f"{self.seconds:.0f}", *last]


def first(course: list[tuple[float, float]], reached: Any) -> str:
    """The seconds at which a figure is first reached; a dash if it never is."""
    return next((f"{seconds:.0f}" for seconds, found in course if reached(found)), "–")


def train(params: Params, build: Path) -> Course:
    """Train the three stages in a folder of their own."""
    course = Course(params.train.common.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        for part in ("scenes", "patches"):
            (own / part).symlink_to((build / part).resolve())
        for name in ("s1", "s2", "s3"):
            course.begin(name)
            network, _, _ = train_sft_dec(STAGES[name], params, own, own / "checkpoints", course.report)
            save_weights(network, weights_path(own, name))
    return course


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=50, help="steps between validations")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", type=Path, default=Path("build"))
    given = parser.parse_args()
    keep_freed_memory()
    yaml = YAML(typ="safe", pure=True)
    candidates = yaml.load(given.candidates.read_text()) if given.candidates else {"params.yaml": {}}
    scenes = load_scenes(given.build / "scenes", "validation")
    blurred = float(np.mean([psnr(each.blurred, each.sharp) for each in scenes]))
    constant = constant_map_error(given.build)
    print(f"blurred {blurred:.2f} dB, best constant map {constant:.4f}\n")
    titles = [
        "schedule",
        "seed",
        *(f"s to +{gain} dB" for gain in GAINS),
        "s to the map",
        "s",
        "gain (dB)",
        "map's MAE",
    ]
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|", flush=True)
    for name, changes in candidates.items():
        for seed in given.seeds:
            own = {"train.common.seed": seed, "train.common.threads": given.threads}
            own |= {f"train.{stage}.validate_every": given.every for stage in ("s1", "s2", "s3")}
            params = with_changes(yaml.load(Path("params.yaml").read_text()), changes | own, name)
            cells = train(params, given.build).row(blurred, constant)
            print(f"| {' | '.join([name, str(seed), *cells])} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
