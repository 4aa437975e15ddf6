"""dvc.yaml names each file of the evaluation that a stage's script leads to: a change of any other re-runs nothing."""

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = "src/sftdec/evaluation"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]


def modules_of(file):
    """The modules of the evaluation that a file imports, wherever in it, as files; not those for types alone."""
    tree = ast.parse(file.read_text("utf-8"))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in typing and (node.module or "").startswith("sftdec"):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                path = ROOT / "src" / name.replace(".", "/")
                yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file())


def led_to(script):
    """All files of the evaluation that a script imports, itself or through others of them."""
    found, waiting = set(), [script]
    while waiting:
        for file in modules_of(waiting.pop()):
            if file.is_relative_to(ROOT / FOLDER) and file not in found:
                found.add(file)
                waiting.append(file)
    return {file.relative_to(ROOT).as_posix() for file in found} - {f"{FOLDER}/__init__.py"}


@pytest.mark.parametrize("stage", ["patches", "evaluate", "report"])
def test_a_stage_depends_on_each_file_of_the_evaluation_that_it_runs(stage):
    deps = STAGES[stage]["deps"]
    needed = led_to(ROOT / f"pipelines/stages/{stage}.py")
    assert f"{FOLDER}/style.py" in needed
    assert not {file for file in needed if not any(Path(file).is_relative_to(dep) for dep in deps)}


def test_a_change_of_the_page_re_runs_the_page_alone():
    page = Path(f"{FOLDER}/report/templates/page.html.jinja")
    assert [name for name, stage in STAGES.items() if any(page.is_relative_to(dep) for dep in stage["deps"])] == [
        "report"
    ]


def test_no_stage_waits_for_an_experiment():
    made = {
        next(iter(out)) if isinstance(out, dict) else out
        for file in ROOT.glob("experiments/*/dvc.yaml")
        for stage in yaml.safe_load(file.read_text("utf-8"))["stages"].values()
        for out in stage["outs"]
    }
    read = [dep for stage in STAGES.values() for dep in stage["deps"]]
    assert not [(dep, out) for dep in read for out in made if Path(out).is_relative_to(dep)]
