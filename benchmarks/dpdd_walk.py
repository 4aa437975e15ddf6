"""DPDD's test folder as published, walked as its users walk it: checked, fetched, killed half way, gone on, evaluated.

    python -m experiments.builtin.photos          # once: the photos that the pictures are made of
    python benchmarks/dpdd_walk.py [--pictures 76] [--model builtin]

The pairs are made here with the published folder's layout, size (1680×1120, 16 bits) and names, which differ by one
within a pair: Debian's photos, cut to that size, and blurred in linear light, more and more towards the right. Two
pairs each lie in train_c and val_c, as a data set without them isn't fetched. All of it happens in a clone of this
checkout, with a store of kept photos of its own. Printed: seconds, seconds of a core, and MiB at most of each step;
that the fetch that was killed made the bytes of one that wasn't; and the disk that the pairs take.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from pair_defocus import blur_with_map
from PIL import Image
from published import HEIGHT, WIDTH, run

from sftdec.optics import linear_to_srgb, srgb_to_linear
from sftdec.photos import write_picture
from sftdec.runtime import checksum

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "data/builtin/photos"
FIRST = 917  # the number in the first file's name
STRONGEST = 3.0  # px of sigma, at the right


def make(folder: Path, pictures: int) -> None:
    """Write the pairs as ``test_c/source/1P0A0917.png`` and ``test_c/target/1P0A0918.png``, the next ones two on."""
    parts = ["train_c"] * 2 + ["val_c"] * 2 + ["test_c"] * pictures
    found = sorted(path for path in PHOTOS.rglob("*") if path.is_file())
    if len(found) < len(parts):
        sys.exit(
            f"{PHOTOS}: found {len(found)} photos, expected {len(parts)}; run python -m experiments.builtin.photos"
        )
    sigma = np.broadcast_to(np.linspace(0, STRONGEST, WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    for number, (part, path) in enumerate(zip(parts, found, strict=False)):
        sharp = _cut(path)
        blurred = linear_to_srgb(blur_with_map(srgb_to_linear(sharp), sigma))
        for side, (name, picture) in enumerate((("source", blurred), ("target", sharp))):
            file = folder / part / name / f"1P0A{FIRST + 2 * number + side:04d}.png"
            write_picture(file, np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16))


def _cut(path: Path) -> "np.ndarray[tuple[int, int, int], np.dtype[np.float32]]":
    """A photo at the published size, 0..1: cut, and mirrored where it is smaller."""
    with Image.open(path) as opened:
        photo = np.asarray(opened.convert("RGB"))[:HEIGHT, :WIDTH] / np.float32(255)
    height, width = photo.shape[:2]
    return np.pad(photo, ((0, HEIGHT - height), (0, WIDTH - width), (0, 0)), mode="symmetric")


def clone(project: Path) -> None:
    """A clone of this checkout that reads DPDD alone."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    params = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    params["fetch"]["datasets"] = ["dpdd"]
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")


def kill_half_way(command: list[str], kept: Path, pictures: int) -> float:
    """Start the fetch and kill all its processes once half of the photos are kept; the seconds until then."""
    began = time.monotonic()
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(kept.glob("??/*"))) < pictures / 2:
        time.sleep(0.2)
    if process.poll() is not None:
        sys.exit("the fetch was over before half of the photos were kept")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return time.monotonic() - began


def hashes(scenes: Path) -> dict[str, str]:
    """SHA-256 of each file of the scenes, by its name from there."""
    return {str(path.relative_to(scenes)): checksum(path) for path in sorted(scenes.rglob("*")) if path.is_file()}


def disk(*folders: Path) -> float:
    """MB of the files below, a file of several links once."""
    stats = [path.stat() for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sum({each.st_ino: each.st_blocks * 512 for each in stats}.values()) / 1e6


def main() -> None:
    """Walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=76)
    parser.add_argument("--model", default="builtin")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project, kept = Path(folder, "project"), Path(folder, "kept")
        clone(project)
        make(project / "data/dpdd", given.pictures)
        os.chdir(project)
        os.environ |= {"PYTHONPATH": str(project / "src"), "SFTDEC_PHOTOS": str(kept), "SFTDEC_TRACKING": "off"}
        fetch = [sys.executable, "-m", "pipelines.stages.fetch"]
        sftdec = [sys.executable, "-m", "sftdec.cli"]
        evaluate = [*sftdec, "evaluate", "--model", given.model]
        steps = {
            "check": [*sftdec, "datasets", "check", "data/dpdd"],
            "fetch": fetch,
            "evaluate": [*evaluate, "--dataset", "dpdd"],
            "protocol": [*evaluate, "--protocol", "dpdd", "--data", "data/dpdd/test_c"],
        }
        seconds = kill_half_way(fetch, kept, given.pictures)
        print(f"fetch, killed after {seconds:.0f} s with {len(list(kept.glob('??/*')))} photos kept", flush=True)
        for name, command in steps.items():
            seconds, core, memory = run(command)
            print(f"{name}: {seconds:.0f} s, {core:.0f} s of a core, {memory:.0f} MiB", flush=True)
        gone_on = hashes(project / "build/scenes")
        os.environ["SFTDEC_PHOTOS"] = ""  # nothing is kept
        seconds, core, memory = run(fetch)
        print(f"fetch from nothing: {seconds:.0f} s, {core:.0f} s of a core, {memory:.0f} MiB")
        print(f"the same bytes: {hashes(project / 'build/scenes') == gone_on}, {len(gone_on)} files")
        pairs, scenes = disk(project / "data/dpdd"), disk(project / "build/scenes")
        print(f"{pairs:.0f} MB of pairs, {scenes:.0f} MB of scenes")


if __name__ == "__main__":
    main()
