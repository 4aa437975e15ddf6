"""DVC stage unseen of the comparison: the photos that the sample doesn't hold → scenes to judge on, in one split."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from pipelines.stages.folds import render
from sftdec.datasets import read_index, write_index
from sftdec.experiments import WHEELS, PhotosParams, load_comparison
from sftdec.params import load_params

BUILD, PARAMS = Path("build/comparison/unseen"), Path("experiments/comparison/params.yaml")


def main() -> None:
    """Render them, unless nobody wants to be judged on them."""
    report, scenes = load_comparison(PARAMS).report, BUILD / "scenes"
    if not report.unseen:
        scenes.mkdir(parents=True, exist_ok=True)  # an out of the stage
        return
    render(PhotosParams(left_out=list(WHEELS)), load_params(Path("params.yaml")), BUILD, BUILD.name)
    rows = read_index(scenes).assign(split=report.split).to_dict("records")
    write_index(scenes, [{str(key): value for key, value in row.items()} for row in rows])


if __name__ == "__main__":
    run_stage(main)
