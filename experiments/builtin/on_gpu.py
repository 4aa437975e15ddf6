"""The built-in model on a GPU that is at hand for minutes: prepare, train, and in another lease go on.

    python3 experiments/builtin/on_gpu.py prepare [--wheels gpu-wheels] [--share 1]
    python3 experiments/builtin/on_gpu.py train --out FOLDER --minutes 20 --stop 8
    python3 experiments/builtin/on_gpu.py go-on --pieces FOLDER --out OTHER --minutes 20 --stop 8

``prepare`` installs what the machine lacks from ``--wheels`` (``make gpu-wheels`` brings them) and renders scenes and
patches with all cores; it needs data/builtin (``python -m experiments.builtin.photos``) and no network. ``train``
trains for ``--stop`` of ``--minutes`` in all, and writes weights and state to FOLDER in pieces of at most 16 MiB
whenever there are new ones: what is cut off then has lost a minute. ``go-on`` goes on from such pieces; a fresh machine
is prepared again first. What else is given is handed to ``experiments.builtin.go_on``: on a CPU, to rehearse it,
``--device cpu --batch 2 --crop 32 --workers 0``.

Needs nothing but Python itself; where the rest lies, it tells those that it starts.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build" / "gpu" / "packages"
BUILD = Path("build/camera")
PIECE = 16 * 2**20  # bytes
MANIFEST = "pieces.json"
ON_A_GPU = ("--device", "cuda", "--batch", "32", "--crop", "128", "--rate", "6e-4", "--workers", "14", "--nice", "0")
LOOK_EVERY = 2.0  # seconds


def surroundings() -> dict[str, str]:
    """The environment in which our modules and what was installed are found."""
    paths = (str(PACKAGES), str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def module(name: str, *options: str) -> list[str]:
    """The command of one of our modules."""
    return [sys.executable, "-m", f"experiments.builtin.{name}", *options]


def install(wheels: Path) -> None:
    """Install the wheels beside our own code; pandas alone where the machine's is too old."""
    files = sorted(wheels.glob("*.whl"))
    code = "import pandas, sys; sys.exit(int(pandas.__version__.split('.')[0]) < 3)"
    new_enough = subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
    wanted = [str(each) for each in files if not (new_enough and each.name.startswith("pandas-"))]
    if wanted:
        options = ["--quiet", "--no-index", "--no-deps", "--upgrade", "--target", str(PACKAGES)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted], check=True)


def split(folder: Path, out: Path) -> None:
    """Put the newest weights and state of a training into ``out`` in pieces, replacing the ones before.

    The list of pieces is written after them and whole, so that what it lists is there whenever this is interrupted.
    """
    states = sorted(folder.glob("states/*/step-*.pt"))
    if not states:
        return
    state, listed = states[-1], {}
    out.mkdir(parents=True, exist_ok=True)
    for path in (state, folder / "weights.safetensors"):
        content = path.read_bytes()
        names = [f"{state.stem}-{path.suffix[1:]}.{number:03d}" for number in range(-(-len(content) // PIECE))]
        for number, name in enumerate(names):
            (out / name).write_bytes(content[number * PIECE : (number + 1) * PIECE])
        listed[str(path.relative_to(folder))] = {"pieces": names, "sha256": hashlib.sha256(content).hexdigest()}
    part = out / f"{MANIFEST}.part"
    part.write_text(json.dumps(listed, indent=1) + "\n")
    part.replace(out / MANIFEST)
    kept = {name for each in listed.values() for name in each["pieces"]}
    for path in out.glob("step-*"):
        if path.name not in kept:
            path.unlink()


def join(pieces: Path, folder: Path) -> None:
    """Put files together again below ``folder``.

    Raises:
        SystemExit: a piece is missing, or damaged.
    """
    manifest = pieces / MANIFEST
    if not manifest.is_file():
        sys.exit(f"error: {manifest}: found no list of pieces; expected what train wrote; name that folder")
    for name, listed in json.loads(manifest.read_text()).items():
        missing = [each for each in listed["pieces"] if not (pieces / each).is_file()]
        if missing:
            sys.exit(f"error: {pieces}: {', '.join(missing)} of {name} missing, expected all; fetch them again")
        content = b"".join((pieces / each).read_bytes() for each in listed["pieces"])
        found = hashlib.sha256(content).hexdigest()
        if found != listed["sha256"]:
            told = f"{name} has SHA-256 {found[:12]}…, expected {listed['sha256'][:12]}…"
            sys.exit(f"error: {pieces}: {told}; its pieces are damaged, fetch them again")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def train(build: Path, out: Path, options: list[str]) -> int:
    """Run the training, and keep what it has made so far in ``out``; its exit status."""
    folder = build / "go_on"
    command = module("go_on", "--build", str(build), "--out", str(folder), *ON_A_GPU, *options)
    with subprocess.Popen(command, cwd=ROOT, env=surroundings()) as training:
        seen = None
        while training.poll() is None:
            newest = max(folder.glob("states/*/step-*.pt"), default=None)
            if newest != seen:
                split(folder, out)
                seen = newest
            time.sleep(LOOK_EVERY)
    split(folder, out)
    return training.returncode


def main() -> None:
    """Do one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call", choices=("prepare", "train", "go-on"))
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--wheels", type=Path, default=Path("gpu-wheels"))
    parser.add_argument("--share", default="1", help="of the scenes, to prepare")
    parser.add_argument("--out", type=Path, help="where pieces are written")
    parser.add_argument("--pieces", type=Path, help="what to go on from")
    given, options = parser.parse_known_args()
    build = given.build.resolve()
    if given.call == "prepare":
        install(given.wheels)
        command = module("scenes", "--out", str(build), "--share", given.share, *options)
        sys.exit(subprocess.run(command, cwd=ROOT, env=surroundings()).returncode)
    if given.out is None or (given.pieces is None) == (given.call == "go-on"):
        parser.error(f"{given.call} needs --out{' and --pieces' if given.call == 'go-on' else ' and no --pieces'}")
    if given.pieces:
        join(given.pieces, build / "go_on")
    sys.exit(train(build, given.out, options))


if __name__ == "__main__":
    main()
