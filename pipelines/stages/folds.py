"""DVC stages of an experiment's data: photos → scenes of all of them; and, of a fold, its index and patches."""

import argparse
import subprocess
import sys
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.datasets import OWN_PHOTOS, fetch, read_index, select_scenes
from sftdec.experiments import NAME, Experiment, PhotosParams, fold_index, lay_out, load_experiment, write_fold
from sftdec.params import Params, load_params
from sftdec.patches import extract_store
from sftdec.runtime import compute

PHOTOS, PARAMS = Path("data/builtin", OWN_PHOTOS), Path("params.yaml")


def render(chosen: PhotosParams, params: Params, build: Path, name: str = NAME) -> None:
    """Render the photos; those of experiments/builtin are brought first where they are wanted and aren't there."""
    photos = PHOTOS if chosen.builtin else None
    if photos is not None and not photos.is_dir():
        subprocess.run([sys.executable, "-m", "experiments.builtin.photos"], check=True)
    count = lay_out(build / "data", photos, chosen.left_out, name)
    wanted = params.fetch.model_copy(update={"datasets": [name]})
    with compute(**params.compute.model_dump()) as run:
        fetch(wanted, build / "data", build / "scenes", run)
    print(f"{len(read_index(build / 'scenes'))} scenes of {count} photos")


def cut(experiment: Experiment, params: Params, build: Path, fold: int) -> None:
    """Write a fold's index, and the patches of the photos that it learns from."""
    scenes = build / "folds" / str(fold) / "scenes"
    write_fold(build / "scenes", fold_index(read_index(build / "scenes"), fold, len(experiment.folds)), scenes)
    options = params.patches.model_dump()
    size = options.pop("patch_size")
    with compute(**params.compute.model_dump()) as run:
        chosen = select_scenes(read_index(scenes), "train")
        extract_store(scenes, chosen, scenes.with_name("patches"), size=size, **options, run=run)


def main() -> None:
    """Render, cut a fold's patches, or do all of it with all cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", type=Path, help="a folder of experiments/, such as table3, or a parameter file")
    parser.add_argument("--fold", type=int, help="the fold to cut; left out: render the scenes of all folds")
    parser.add_argument("--all", metavar="BUILD", type=Path, help="render and cut below this folder, with all cores")
    parser.add_argument("--params", type=Path, default=PARAMS)
    given = parser.parse_args()
    file = given.experiment if given.experiment.suffix else Path("experiments") / given.experiment / PARAMS
    experiment, params = load_experiment(file), load_params(given.params)
    if given.all is not None:
        params = params.model_copy(update={"compute": params.compute.model_copy(update={"processes": -1})})
        render(experiment.photos, params, given.all)
        for fold in experiment.folds:
            cut(experiment, params, given.all, fold)
    elif given.fold is None:
        render(experiment.photos, params, Path("build") / given.experiment)
    else:
        cut(experiment, params, Path("build") / given.experiment, given.fold)


if __name__ == "__main__":
    run_stage(main)
