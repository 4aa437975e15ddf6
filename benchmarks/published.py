"""Seconds and memory of ``sftdec evaluate --protocol`` on a folder like DPDD's test_c: pictures of 1680×1120, 16 bits.

    python benchmarks/published.py [--pictures 76] [--model builtin] [--protocol dpdd]

The pictures are made here, of one photo, shifted from pair to pair. The command runs twice in a process of its own: the
second call finds what the first one measured.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.data import coffee

from sftdec.photos import write_picture

HEIGHT, WIDTH = 1120, 1680


def make(folder: Path, pictures: int) -> None:
    """Write pairs, blurred more and more towards the right, as ``source`` and ``target``."""
    photo = np.pad(coffee().astype(np.float32), ((0, HEIGHT - 400), (0, WIDTH - 600), (0, 0)), mode="reflect")
    share = np.linspace(0, 1, WIDTH, dtype=np.float32)[:, None]
    blurred = photo * (1 - share) + gaussian_filter(photo, (3, 3, 0)) * share
    for number in range(pictures):
        for name, picture in (("source", blurred), ("target", photo)):
            levels = np.rint(np.roll(picture, 20 * number, axis=0) * 257).astype(np.uint16)
            write_picture(folder / name / f"{number:03d}.png", levels)


def run(command: list[str]) -> tuple[float, float, float]:
    """Seconds, those of a core among them, and MiB at most of a command."""
    began = time.monotonic()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"the command failed: {' '.join(command)}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Measure two calls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=76)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--protocol", default="dpdd")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder, "test_c"), given.pictures)
        os.chdir(folder)  # where the figures are kept
        command = [sys.executable, "-m", "sftdec.cli", "evaluate", "--model", given.model]
        command += ["--data", str(Path(folder, "test_c")), "--protocol", given.protocol]
        for call in ("first", "second"):
            seconds, core, memory = run(command)
            each = f"{seconds / given.pictures:.2f} s a picture"
            print(f"{call} call: {seconds:.1f} s ({core:.1f} s of a core), {each}, {memory:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
