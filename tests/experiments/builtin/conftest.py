"""A folder of scenes and patches as ``experiments.builtin.scenes`` makes it, of four scenes."""

import shutil
from pathlib import Path

import pytest

from sftdec.datasets import RECIPES, fetch, read_index, select_scenes
from sftdec.params import load_params
from sftdec.patches import extract_store

ROOT = Path(__file__).parents[3]
COLUMNS = (
    "name,split,count,content,photo,scale,height,width,top,left,depth,near_m,far_m,focus,focal_length_mm,"
    "pixel_pitch_um,max_coc_px,psf,blades,softness_px,shot_noise,read_noise,seed,jpeg,answer"
)
REST = "1,96,96,-1,-1,plane,1,8,0.5,50,60,4,disc,6,0,0,0.003"
ROWS = (
    f"a,train,2,photo,chelsea,{REST},1,80,grain",
    f"b,validation,1,photo,rocket,{REST},2,80,grain",
    f"c,test,1,photo,coffee,{REST},3,80,grain",
)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    (root / "data" / "camera").mkdir(parents=True)
    (root / "data" / "camera" / RECIPES).write_text("\n".join([COLUMNS, *ROWS]) + "\n")
    wanted = load_params(ROOT / "params.builtin.yaml").fetch.model_copy(update={"datasets": ["camera"]})
    fetch(wanted, root / "data", root / "scenes")
    chosen = select_scenes(read_index(root / "scenes"), "train")
    extract_store(root / "scenes", chosen, root / "patches", size=48, stride=48)
    return root


@pytest.fixture
def build(rendered, tmp_path):
    """A copy to train in."""
    return shutil.copytree(rendered, tmp_path / "build")
