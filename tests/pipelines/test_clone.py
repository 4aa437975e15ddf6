"""A clone has the bytes that were committed, whatever its owner's Git does with line ends."""

import shutil
import subprocess
from pathlib import Path

from tests.pipelines.flows import commit, git

ROOT = Path(__file__).parents[2]
NAMES = (
    "data/sample/recipes.csv",
    "data.dvc",
    "params.yaml",
    "pipelines/stages/fetch.py",
    "reports/figures/comparison/maps.webp",
)


def test_a_clone_made_with_the_default_of_git_for_windows_has_the_same_bytes(tmp_path):
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    for name in (".gitattributes", *NAMES):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, origin / name)
    subprocess.run(["git", "init", "-q", origin], check=True)
    commit(origin)
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", origin, clone], check=True)
    assert [name for name in NAMES if (clone / name).read_bytes() != (ROOT / name).read_bytes()] == []
    assert git(clone, "status", "--porcelain") == ""
