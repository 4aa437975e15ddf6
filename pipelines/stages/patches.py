"""DVC stage patches: training scenes → build/patches."""

from pathlib import Path

from tqdm import tqdm

from pipelines.stages.entry import run_stage
from sftdec.datasets import load_scene, read_index, select_scenes
from sftdec.params import load_params
from sftdec.patches import extract_patches, write_store
from sftdec.tracking import track_stage

SCENES, OUT = Path("build/scenes"), Path("build/patches")


def main() -> None:
    """Cut the training scenes into patches."""
    params = load_params(Path("params.yaml")).patches
    with track_stage("patches", Path.cwd(), reads=[SCENES], params=params.model_dump()) as tracker:
        rows = select_scenes(read_index(SCENES), "train").to_dict("records")
        patches = (
            patch
            for row in tqdm(rows, desc="patches", unit="scene", disable=None)
            for patch in extract_patches(load_scene(SCENES, row), params.patch_size, params.stride)
        )
        index = write_store(OUT, patches, params.patch_size, params.shard_patches, params.drop_least_sharp)
        means = {f"{key}_mean": float(index[key].mean()) for key in ("sigma_mean", "sharpness", "brightness")}
        tracker.metrics({"patches": float(len(index)), **means}, step=0)
        tracker.writes([OUT])


if __name__ == "__main__":
    run_stage(main)
