"""How long a command takes to be there: ``sftdec --help``, and ``sftdec deblur`` of one small photo.

    python benchmarks/startup.py [--rounds 5]

Each is a process of its own, from its start to its end, with the model that ships and, run where the registry lies,
with the registry's champion. Prints the median of the rounds and all of them, in seconds, and the median of the
processor's time; the first round of each, which brings files into memory, is left out.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 256  # px


def once(arguments: list[str]) -> tuple[float, float]:
    """Seconds of one process: passed, and of the processor."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "sftdec.cli", *arguments], check=True, stdout=subprocess.DEVNULL)
    passed, after = time.perf_counter() - began, os.times()
    return passed, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "small.jpg"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(photo)
        deblur = ["deblur", str(photo), "-o", str(Path(folder) / "out"), "--force"]
        commands = {"--help": ["--help"], "deblur, builtin": [*deblur, "--model", "builtin"]}
        if Path("mlflow.db").is_file() or os.environ.get("MLFLOW_TRACKING_URI"):
            commands["deblur, champion"] = [*deblur, "--model", "models:/sft-dec@champion"]
        for name, arguments in commands.items():
            found = [once(arguments) for _ in range(rounds + 1)][1:]
            middle = statistics.median(passed for passed, _ in found)
            processor = statistics.median(spent for _, spent in found)
            listed = " ".join(f"{passed:.2f}" for passed, _ in found)
            print(f"{name:<18}{middle:6.2f} s   (rounds: {listed}; processor {processor:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
