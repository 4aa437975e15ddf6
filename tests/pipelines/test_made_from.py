"""What published results were made from, noted beside them and compared with the code as it is."""

import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.stages.made_from import NAME, copies, outdated, read, record
from tests.pipelines.flows import commit

ROOT = Path(__file__).parents[2]
STAGES = """
stages:
  train:
    cmd: python -m pipelines.stages.train
    deps: [build/scenes, src/room, pipelines/stages/train.py]
"""
FILES = {
    "experiments/small/dvc.yaml": STAGES,
    "experiments/small/params.yaml": "seeds: [0, 1]\n",
    "params.yaml": "train: {}\n",
    "src/room/code.py": "answer = 42\n",
    "pipelines/stages/train.py": "",
    "build/scenes/index.parquet": "photos",
    "build/small/models/s1.safetensors": "weights",
    ".gitignore": "build/\nreports/\n__pycache__/\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noted(project: Path) -> dict:
    record("small", (project / "build/small").rglob("*.safetensors"), project / "reports")
    return read(project / "reports")["small"]


def test_commit_code_data_parameters_and_weights_are_noted(project):
    name = commit(project)
    made = noted(project)
    assert (made["commit"], made["changed"], made["weights"]["files"]) == (name, False, 1)
    assert set(made["parameters"]) == {"params.yaml", "experiments/small/params.yaml"}
    assert made["code"].startswith("sha256:") and made["scenes"].startswith("sha256:")
    (project / "build/small/models/s1.safetensors").write_text("other")
    (project / "build/scenes/index.parquet").write_text("others")
    (project / "src/room/code.py").write_text("answer = 43\n")
    again = noted(project)
    assert again["changed"] is True
    assert all(again[key] != made[key] for key in ("code", "scenes", "weights"))


def test_scenes_of_an_experiments_own_are_noted_and_not_the_main_pipelines(project):
    commit(project)
    before = noted(project)["scenes"]
    (project / "build/small/scenes").mkdir()
    (project / "build/small/scenes/index.parquet").write_text("folds")
    own = noted(project)["scenes"]
    (project / "build/scenes/index.parquet").write_text("others")
    assert own != before and noted(project)["scenes"] == own


def test_results_are_outdated_as_soon_as_their_code_changes(project):
    name = commit(project)
    noted(project)
    assert outdated(project, project / "reports") == {}
    (project / "src/other.py").write_text("")
    (project / "src/room/code.py").with_suffix(".pyi").touch()  # a stub makes no result
    assert outdated(project, project / "reports") == {}
    (project / "src/room/code.py").write_text("answer = 43\n")
    (sentence,) = outdated(project, project / "reports").values()
    assert name[:7] in sentence and "dvc repro experiments/small/dvc.yaml" in sentence


def test_results_whose_code_is_not_known_are_outdated_and_others_stay_noted(project):
    commit(project)
    (project / "reports").mkdir()
    old = {"old": {"commit": None, "code": None}}
    (project / "reports" / NAME).write_text(yaml.safe_dump(old))
    noted(project)
    assert list(read(project / "reports")) == ["old", "small"]
    assert "made at commit unknown" in outdated(project, project / "reports")["old"]


def test_every_experiments_committed_results_say_what_they_were_made_from():
    made = read(ROOT / "reports")
    assert set(made) == {path.parent.name for path in ROOT.glob("experiments/*/dvc.yaml")}
    for each in made.values():
        assert each["commit"] and each["scenes"] and each["weights"]["files"] > 10


def test_copies_take_the_place_of_what_was_published_before(tmp_path):
    made, published = tmp_path / "build", tmp_path / "reports"
    for folder, text in ((made, "new"), (published, "old")):
        folder.mkdir()
        (folder / "table3.md").write_text(text)
    assert copies([made / "table3.md"], published) == [published / "table3.md"]
    assert (published / "table3.md").read_text() == "new" and (made / "table3.md").read_text() == "new"
    assert [path.name for path in published.iterdir()] == ["table3.md"]
