"""DVC stages of an experiment's data: photos → scenes of all of them; and, of a fold, its index and patches."""

import argparse
import subprocess
import sys
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.datasets import OWN_PHOTOS, fetch, read_index, select_scenes
from sftdec.experiments import NAME, Experiment, fold_index, lay_out, load_experiment, write_fold
from sftdec.params import load_params
from sftdec.patches import extract_store
from sftdec.runtime import compute

PHOTOS = Path("data/builtin", OWN_PHOTOS)


def render(experiment: Experiment, build: Path, processes: int | None = None) -> None:
    """Render the photos; those of experiments/builtin are brought first where they are wanted and aren't there."""
    params = load_params(Path("params.yaml"))
    photos = PHOTOS if experiment.photos.builtin else None
    if photos is not None and not photos.is_dir():
        subprocess.run([sys.executable, "-m", "experiments.builtin.photos"], check=True)
    count = lay_out(build / "data", photos, experiment.photos.left_out)
    wanted = params.fetch.model_copy(update={"datasets": [NAME]})
    at_once = params.compute.model_dump() | ({} if processes is None else {"processes": processes})
    with compute(**at_once) as run:
        fetch(wanted, build / "data", build / "scenes", run)
    print(f"{len(read_index(build / 'scenes'))} scenes of {count} photos")


def cut(experiment: Experiment, build: Path, fold: int, processes: int | None = None) -> None:
    """Write a fold's index, and the patches of the photos that it learns from."""
    params = load_params(Path("params.yaml"))
    scenes = build / "folds" / str(fold) / "scenes"
    write_fold(build / "scenes", fold_index(read_index(build / "scenes"), fold, len(experiment.folds)), scenes)
    options = params.patches.model_dump()
    size = options.pop("patch_size")
    at_once = params.compute.model_dump() | ({} if processes is None else {"processes": processes})
    with compute(**at_once) as run:
        chosen = select_scenes(read_index(scenes), "train")
        extract_store(scenes, chosen, scenes.with_name("patches"), size=size, **options, run=run)


def main() -> None:
    """Render, or cut a fold's patches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a folder of experiments/, such as table3")
    parser.add_argument("--fold", type=int, help="the fold to cut; left out: render the scenes of all folds")
    given = parser.parse_args()
    experiment = load_experiment(Path("experiments") / given.experiment / "params.yaml")
    build = Path("build") / given.experiment
    render(experiment, build) if given.fold is None else cut(experiment, build, given.fold)


if __name__ == "__main__":
    run_stage(main)
