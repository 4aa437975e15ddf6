"""The code that runs is the code that lies beside dvc.yaml."""

import shutil
import subprocess
import sys
from pathlib import Path

import pipelines
from pipelines import other_checkout

ROOT = Path(__file__).parents[2]


def test_a_stage_of_another_checkout_than_sftdecs_is_refused_in_a_sentence(tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(ROOT / "pipelines", second / "pipelines")
    (second / "src/sftdec").mkdir(parents=True)
    command = [sys.executable, "-m", "pipelines.stages.fetch"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=second, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert str(ROOT / "src/sftdec") in sentence and str(second) in sentence and "PYTHONPATH=src" in sentence


def test_a_checkout_with_its_own_code_by_whatever_path_and_one_without_source_are_let_be(tmp_path: Path) -> None:
    assert other_checkout(ROOT) == ""
    (tmp_path / "linked").symlink_to(ROOT, target_is_directory=True)
    assert other_checkout(tmp_path / "linked") == ""
    assert other_checkout(tmp_path) == ""  # pipelines installed without a checkout
    assert Path(pipelines.__file__).parents[1] == ROOT
