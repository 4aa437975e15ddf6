"""Every dvc.yaml names the code that decides its stages' results, and no other."""

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from pipelines.dvc.dependencies import EXEMPT, MEND, code_of, differences, imports_of, stage_files
from sftdec.runtime import below

ROOT = Path(__file__).parents[2]
IMPORTS = imports_of(ROOT)
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
TRAININGS = ("train_s1", "train_s2", "train_s3")


def names_of(files):
    return {path.relative_to(ROOT).as_posix() for path in files}


def everything_run():
    """All files that any stage's imports lead to, nothing exempt."""
    modules = {path.stem for path in (ROOT / "pipelines/stages").glob("*.py") if path.stem != "__init__"}
    return set().union(*(IMPORTS.closure(f"pipelines.stages.{module}") for module in modules))


def depending_on(path):
    """The stages of the main pipeline that a change of a file re-runs."""
    return [name for name, stage in STAGES.items() if any(Path(path).is_relative_to(dep) for dep in stage["deps"])]


def test_each_stage_names_the_code_that_its_imports_lead_to():
    found = [f"{each.stage}: missing {each.missing}, superfluous {each.superfluous}" for each in differences(ROOT)]
    assert not found, "\n".join([*found, f"mended by {MEND}"])


@pytest.mark.parametrize("exempt", EXEMPT, ids=lambda exempt: exempt.pattern)
def test_what_is_exempt_is_run_by_a_stage_and_there_is_a_reason(exempt):
    assert any(fnmatchcase(name, exempt.pattern) for name in names_of(everything_run()))
    assert len(exempt.reason.split()) >= 3
    named = [*STAGES] + [
        f"{file}:{stage}"
        for file in stage_files(ROOT)[1:]
        for stage in yaml.safe_load((ROOT / file).read_text("utf-8"))["stages"]
    ]
    assert all(any(fnmatchcase(name, pattern) for name in named) for pattern in exempt.stages)


def test_the_walk_misses_no_module_that_python_loads():
    program = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(f"pipelines.stages.{name}")
ours = ("sftdec", "pipelines")
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.split(".")[0] in ours]))
"""
    modules = sorted(path.stem for path in (ROOT / "pipelines/stages").glob("*.py") if path.stem != "__init__")
    command = [sys.executable, "-c", program, *modules]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    loaded = {Path(path) for path in json.loads(printed.splitlines()[-1])}
    assert len(loaded) > 50
    deciding = set().union(*(below(folder) for folder in (ROOT / "src/sftdec", ROOT / "pipelines")))  # doors left out
    assert names_of(loaded & deciding) <= names_of(everything_run())


def test_a_folder_that_stands_for_its_files_has_no_other_that_dvc_sees():
    from dvc.repo import Repo

    ignored = Repo(str(ROOT)).dvcignore.is_ignored_file
    folders = {
        dep
        for file in stage_files(ROOT)
        for stage in yaml.safe_load((ROOT / file).read_text("utf-8"))["stages"].values()
        for dep in stage["deps"]
        if isinstance(dep, str) and dep.startswith("src/") and (ROOT / dep).is_dir()
    }
    assert "src/sftdec/networks" in folders
    for folder in folders:
        seen = {path for path in (ROOT / folder).rglob("*") if path.is_file() and not ignored(str(path))}
        assert names_of(seen) == names_of(below(ROOT / folder)), folder


@pytest.mark.parametrize("file", ["network.py", "schema.py", "train.py", "fields.py"])
def test_a_forced_parameter_retrains(file):
    assert {*TRAININGS} <= {*depending_on(f"src/sftdec/params/{file}")}


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("src/sftdec/params/gate.py", ["register"]),
        ("src/sftdec/peers/published.py", []),
        ("src/sftdec/peers/releases.py", []),
        ("src/sftdec/peers/nafnet.py", ["report"]),
        ("src/sftdec/datasets/importers/cuhk.py", ["report"]),
        ("src/sftdec/datasets/importers/ded.py", ["fetch", "report"]),
        ("src/sftdec/registry/served_model.py", ["register"]),
        ("src/sftdec/reporting/report/templates/page.html.jinja", ["report"]),
    ],
)
def test_a_change_of_a_file_re_runs_the_stages_that_it_decides(file, stages):
    assert (ROOT / file).is_file()
    assert depending_on(file) == stages


def test_no_stage_of_any_experiment_waits_for_what_others_released():
    for path in ("published.py", "releases.py"):
        for file in stage_files(ROOT):
            assert f"peers/{path}" not in (ROOT / file).read_text("utf-8")


def test_a_command_without_a_module_of_ours_is_refused():
    with pytest.raises(ValueError, match=r"fetch: cmd: found 'make', expected python -m"):
        code_of(ROOT, IMPORTS, "fetch", {"cmd": "make"})


def test_no_stage_waits_for_an_experiment():
    made = {
        next(iter(out)) if isinstance(out, dict) else out
        for file in ROOT.glob("experiments/*/dvc.yaml")
        for stage in yaml.safe_load(file.read_text("utf-8"))["stages"].values()
        for out in stage["outs"]
    }
    read = [dep for stage in STAGES.values() for dep in stage["deps"]]
    assert not [(dep, out) for dep in read for out in made if Path(out).is_relative_to(dep)]
