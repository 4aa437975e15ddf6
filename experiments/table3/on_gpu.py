"""Table 3 on a GPU that is at hand for twelve minutes: prepare, train what is missing cell by cell, bring it home.

    python3 -m experiments.table3.on_gpu prepare [--wheels gpu-wheels]
    python3 -m experiments.table3.on_gpu train --out FOLDER --minutes 8
    python3 -m experiments.table3.on_gpu bring --pieces FOLDER

``make gpu-table3`` does the first two. ``prepare`` installs what the machine lacks from ``--wheels`` and renders scenes
and patches with all cores; it needs data/builtin and no network. ``train`` trains each cell that isn't below the build
folder or in FOLDER yet, and copies its weights, curve and figures to FOLDER once it is
done: what is cut off then has lost a cell. No cell is begun that wouldn't be done in time. ``bring``, at home, puts
them into build/table3; ``dvc commit experiments/table3/dvc.yaml`` then says that they are what DVC would have made.
To rehearse it on a CPU, ``--build OTHER --params FILE --experiment FILE --device cpu``, both files scaled down.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.builtin.on_gpu import PIECE, ROOT, install, surroundings

if TYPE_CHECKING:
    from sftdec.experiments import Cell, Experiment

NOTE = "folds.json"  # which pictures the cells are of
STAGES = ("s1", "s2", "s3")


def cells(experiment: "Experiment") -> "Iterator[Cell]":
    """All cells in the order in which they are trained: after that they go on from."""
    from sftdec.experiments import Cell

    for variant in experiment.variants:
        for fold in experiment.folds:
            yield from (Cell(variant, stage, fold) for stage in STAGES)
    for fold in experiment.folds:
        yield Cell("sft_dec", "end_to_end", fold)


def files(cell: "Cell", folder: Path) -> list[Path]:
    """What a cell leaves below ``folder``; its figures come last, and say that it is done."""
    return [cell.weights(folder), cell.curve(folder), cell.per_image(folder)]


def copy(cell: "Cell", source: Path, target: Path) -> None:
    """Copy what a cell left.

    Raises:
        SystemExit: a file is larger than a piece may be.
    """
    for path, other in zip(files(cell, source), files(cell, target), strict=True):
        if path.stat().st_size > PIECE:
            sys.exit(f"error: {path}: {path.stat().st_size:,} bytes, expected {PIECE:,} at most")
        other.parent.mkdir(parents=True, exist_ok=True)
        part = other.with_name(f"{other.name}.part")
        shutil.copyfile(path, part)
        part.replace(other)


def pictures(build: Path) -> dict[str, str]:
    """By fold the checksum of its index, which knows its pictures' own."""
    from sftdec.runtime import checksum

    return {path.parts[-3]: checksum(path) for path in sorted(build.glob("folds/*/scenes/index.parquet"))}


def fill(build: Path, out: Path, minutes: float, params: Path, settings: Path, device: str) -> None:
    """Train what is missing while there is time."""
    from sftdec.experiments import cell_params, load_experiment, train_cell

    experiment, end, pace = load_experiment(settings), time.monotonic() + 60 * minutes, 0.0
    out.mkdir(parents=True, exist_ok=True)
    (out / NOTE).write_text(json.dumps(pictures(build), indent=1) + "\n")
    for cell in cells(experiment):
        if files(cell, out)[-1].is_file():
            copy(cell, out, build)
        elif not files(cell, build)[-1].is_file():
            steps = experiment.steps_of(cell)
            if time.monotonic() + pace * steps > end:
                sys.exit(f"{cell}: wouldn't be done in time; the next call goes on here")
            found, began = cell_params(params, experiment, cell), time.monotonic()
            common = found.train.common.model_copy(update={"device": device})
            evaluate = found.evaluate.model_copy(update={"device": device})
            train = found.train.model_copy(update={"common": common})
            found = found.model_copy(update={"train": train, "evaluate": evaluate})
            judged = train_cell(cell, found, build, build / "checkpoints", cell)
            pace = max(pace, (time.monotonic() - began) / steps)
            print(f"{cell}: {judged['psnr'].mean():.3f} dB, {time.monotonic() - began:.1f} s", flush=True)
        copy(cell, build, out)
    print("all cells are there")


def bring(pieces: Path, build: Path, settings: Path) -> None:
    """Put the cells that are there into the build folder.

    Raises:
        SystemExit: they are of other pictures than those that are there.
    """
    from sftdec.experiments import load_experiment

    theirs, ours = json.loads((pieces / NOTE).read_text()), pictures(build)
    if ours and theirs != ours:
        sys.exit(f"error: {pieces}: its cells were judged on other pictures than {build} has; render these anew")
    there = [cell for cell in cells(load_experiment(settings)) if files(cell, pieces)[-1].is_file()]
    for cell in there:
        copy(cell, pieces, build)
    print(f"{len(there)} cells brought; dvc commit experiments/table3/dvc.yaml")


def main() -> None:
    """Do one of the three; the work itself is done by this module once more, which finds what was installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call", choices=("prepare", "train", "bring", "fill"))
    parser.add_argument("--build", type=Path, default=Path("build/table3"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--experiment", type=Path, default=Path("experiments/table3/params.yaml"))
    parser.add_argument("--wheels", type=Path, default=Path("gpu-wheels"))
    parser.add_argument("--out", type=Path, help="where finished cells are written")
    parser.add_argument("--pieces", type=Path, help="the cells to bring")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    if (given.out is None) == (given.call in ("train", "fill")) or (given.pieces is None) == (given.call == "bring"):
        parser.error(f"{given.call}: train needs --out, bring needs --pieces, and prepare neither")
    if given.call == "prepare":
        install(given.wheels)
        options = (str(given.experiment), "--all", str(given.build), "--params", str(given.params))
        command = [sys.executable, "-m", "pipelines.stages.folds", *options]
        sys.exit(subprocess.run(command, cwd=ROOT, env=surroundings()).returncode)
    if given.call == "train":
        command = [sys.executable, "-m", "experiments.table3.on_gpu", "fill", *sys.argv[2:]]
        sys.exit(subprocess.run(command, cwd=ROOT, env=surroundings()).returncode)
    if given.call == "fill":
        fill(given.build, given.out, given.minutes, given.params, given.experiment, given.device)
    else:
        bring(given.pieces, given.build, given.experiment)


if __name__ == "__main__":
    main()
