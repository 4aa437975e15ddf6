"""What tracking costs a stage of training: the stage's own command with tracking and without, taking turns.

    python benchmarks/tracking.py [--stage s2] [--steps 600] [--rounds 3] [--build build]

Scenes, patches and the weights of the stage before are those of ``build``. Prints seconds of the whole process (start
and end of both included), each with, without and as a ratio; the medians; and what the difference would be of the stage
at its full length in params.yaml, if it grew with the steps (tracking's own start, a constant, makes it smaller).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
YAML_SAFE = YAML(typ="safe", pure=True)


def prepare(folder: Path, build: Path, stage: str, steps: int) -> float:
    """A project in which the stage's command runs for ``steps`` steps; returns the share of its full length."""
    (folder / "build").mkdir()
    for part in ("scenes", "patches", "models"):
        source = (build / part).resolve()
        if part == "models":
            (folder / "build" / part).mkdir()
            for weights in source.glob("*.safetensors"):
                (folder / "build" / part / weights.name).write_bytes(weights.read_bytes())
        else:
            (folder / "build" / part).symlink_to(source)
    values = YAML_SAFE.load((ROOT / "params.yaml").read_text())
    whole = values["train"][stage]["steps"]
    values["train"][stage]["steps"] = steps
    with (folder / "params.yaml").open("w") as file:
        YAML_SAFE.dump(values, file)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return float(steps / whole)


def seconds(folder: Path, stage: str, tracking: str) -> float:
    """Wall time of the stage's command."""
    environment = os.environ | {
        "SFTDEC_TRACKING": tracking,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipelines.stages.train", "--stage", stage]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="s2", choices=["s1", "s2", "s3"])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build", type=Path, default=Path("build"))
    given = parser.parse_args()
    rows = []
    for number in range(given.rounds):
        pair = {}
        for tracking in ("on", "off") if number % 2 else ("off", "on"):
            with tempfile.TemporaryDirectory() as folder:
                share = prepare(Path(folder), given.build, given.stage, given.steps)
                pair[tracking] = seconds(Path(folder), given.stage, tracking)
        rows.append((pair["on"], pair["off"]))
        print(f"with {pair['on']:.1f} s, without {pair['off']:.1f} s, ratio {pair['on'] / pair['off']:.3f}", flush=True)
    tracked, plain = np.array(rows).T
    print(f"median ratio {np.median(tracked / plain):.3f}, median difference {np.median(tracked - plain):+.1f} s")
    whole = np.median(tracked - plain) / np.median(plain) * share
    print(f"stage {given.stage} at its full length, if the difference is its start and end alone: {whole:+.1%}")


if __name__ == "__main__":
    main()
