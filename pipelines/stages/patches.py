"""DVC stage patches: training scenes → build/patches."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.datasets import read_index, select_scenes
from sftdec.params import load_params
from sftdec.patches import extract_store
from sftdec.runtime import compute
from sftdec.tracking import track_stage

SCENES, OUT = Path("build/scenes"), Path("build/patches")


def main() -> None:
    """Cut the training scenes into patches."""
    params = load_params(Path("params.yaml"))
    cut = params.patches.model_dump()
    with track_stage("patches", Path.cwd(), reads=[SCENES], params=cut) as tracker:
        with compute(**params.compute.model_dump()) as run:
            size = cut.pop("patch_size")
            index = extract_store(SCENES, select_scenes(read_index(SCENES), "train"), OUT, size=size, **cut, run=run)
        means = {f"{key}_mean": float(index[key].mean()) for key in ("sigma_mean", "sharpness", "brightness")}
        tracker.metrics({"patches": float(len(index)), **means}, step=0)
        tracker.writes([OUT])


if __name__ == "__main__":
    run_stage(main)
