"""What makes a stage's outs, and those of the stages before it."""

from pathlib import Path

import pytest

from sftdec.lineage import stage_definitions

PIPELINE = """
stages:
  a: {cmd: make a, deps: [data, src/a.py, src/both], params: [a.steps], outs: [build/scenes: {push: false}]}
  b: {cmd: make b, deps: [build/scenes/index, src/b.py], params: [b], metrics: [m.json: {cache: false}]}
  c: {cmd: make c, deps: [m.json, src/c.py]}
  d: {cmd: make d, deps: [src/d.py], outs: [build/d]}
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "a: {steps: 1, other: 2}\nb: {x: 1}\n",
    "data.dvc": "outs: [{md5: 1, path: data}]\n",
    **{f"src/{name}.py": f"{name} = 1\n" for name in ("a", "b", "c", "d", "both/more")},
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("src/a.py", "1", "2", {"a"}),
        ("src/both/more.py", "1", "2", {"a"}),
        ("params.yaml", "steps: 1", "steps: 2", {"a"}),
        ("params.yaml", "x: 1", "x: 2", {"b"}),
        ("data.dvc", "1", "2", {"a"}),
        ("dvc.yaml", "make b", "make b --otherwise", {"b"}),
        ("params.yaml", "other: 2", "other: 3", set()),
        ("src/d.py", "1", "2", set()),
    ],
)
def test_each_stage_changes_with_what_dvc_runs_it_again_for(
    pipeline: Path, file: str, old: str, new: str, changed: set[str]
) -> None:
    before = stage_definitions(pipeline, "c")
    (pipeline / file).write_text(FILES[file].replace(old, new))
    after = stage_definitions(pipeline, "c")
    assert set(before) == set(after) == {"a", "b", "c"}
    assert {name for name in before if before[name] != after[name]} == changed


@pytest.mark.parametrize("text", ["stages: {}", "- none", "stages: {c: {deps: 1}}", ""])
def test_of_what_is_no_pipeline_or_names_no_such_stage_nothing_is_known(pipeline: Path, text: str) -> None:
    (pipeline / "dvc.yaml").write_text(text)
    assert stage_definitions(pipeline, "c") == {}
