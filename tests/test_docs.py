"""The documentation: every command in it is one that there is, every page is reached, and what is drawn is of today."""

import argparse
import ast
import importlib
import importlib.util
import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import ruamel.yaml
from PIL import Image

from sftdec import cli
from sftdec.params import Params
from sftdec.params.fields import Section
from sftdec.photos import deep_png
from sftdec.runtime import read_yaml

ROOT = Path(__file__).parents[1]
OURS = ("src", "pipelines", "benchmarks", "experiments")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(page, kind):
    """The page's blocks of code of that kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page):
    """The lines of a page's blocks of shell, as words; lines that go on are one."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for joint, part in itertools.groupby(words, lambda word: word in ("&&", "|")):
                if not joint:
                    yield list(part)


WRITTEN = [words for page in PAGES for words in commands(page)]


def said(words):
    """The words of a command without what stands before it: variables, a niceness, the environment's folder."""
    while re.match(r"\w+=|nice$|-n$|\d+$", words[0]):
        words = words[1:]
    return [words[0].removeprefix(".venv/bin/"), *words[1:]]


def of(program):
    found = {" ".join(each): each[1:] for words in WRITTEN if (each := said(words))[0] == program}
    assert found
    return [pytest.param(words, id=line[:100]) for line, words in found.items()]


@pytest.mark.parametrize("words", of("sftdec"))
def test_the_command_line_knows_what_the_pages_ask_of_it(words, capsys):
    cli._parser().parse_args(words)


# Why a command of the pages isn't run below, by what it holds: the test that runs it, or what is missing here.
NOT_RUN = {
    "champion": "tests/services/test_service.py and tests/commands: a registry with a champion",
    "promote": "tests/commands/test_models.py: a registry with versions",
    "register": "tests/registry: a registry, for seconds",
    "demo": "tests/services/test_demo.py: it stays until it is stopped",
    "drift": "tests/commands/test_drift.py: the training's scenes",
    "evaluate --all": "tests/experiments: results of the pipeline",
    "--dataset": "tests/test_cli.py: scenes of the pipeline",
    "ifan=": "nowhere: IFAN's weights aren't ours to ship; test_evaluate_published.py has NAFNet's layout",
    "build/": "tests/test_cli.py: weights of a training",
    "data/dpdd": "nowhere: DPDD isn't ours to ship; tests/datasets has its layout",
    "openvino": "tests/inference: a process of its own",
    "dtmodel": "tests/inference/test_darktable.py: seconds",
}


def is_run(words):
    return not any(each in " ".join(words) for each in NOT_RUN)


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    """A folder with what the pages' commands name: photos, a mask, pairs, and DPDD's test part, all of them tiny."""
    folder, generator = tmp_path_factory.mktemp("belongings"), np.random.default_rng(0)
    for name in ("photo.jpg", "one.jpg", "huge.tif", "photos/a.jpg", "holiday/b.png", "trip/c.tif"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), np.uint8)).save(folder / name)
    Image.linear_gradient("L").resize((64, 48)).save(folder / "mask.png")
    mine, published = (
        "data/mine/blurred/a.png data/mine/sharp/a.png",
        "DPDD/test_c/source/1.png DPDD/test_c/target/2.png",
    )
    for pair in (mine, published, "FOLDER/input/a.png FOLDER/ground_truth/a.png"):
        levels = generator.integers(0, 65536, (48, 64, 3), np.uint16)
        for path, change in zip(map(folder.joinpath, pair.split()), (1, 0), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(deep_png(levels // 2 + 100 * change))
    return folder


@pytest.mark.parametrize("words", [each for each in of("sftdec") if is_run(each.values[0])])
def test_the_command_line_does_what_the_pages_ask_of_it(words, belongings, monkeypatch, capsys):
    monkeypatch.chdir(belongings)
    monkeypatch.setenv("SFTDEC_PHOTOS", str(belongings / "kept"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{belongings / 'mlflow.db'}")
    shutil.rmtree("out", ignore_errors=True)
    assert cli.main(words) == 0
    capsys.readouterr()
    assert words[0] != "deblur" or any(Path("out").iterdir())


def test_each_reason_not_to_run_a_command_is_one_that_is_needed():
    asked = [" ".join(each.values[0]) for each in of("sftdec")]
    assert all(any(reason in words for words in asked) for reason in NOT_RUN)


@pytest.mark.parametrize("words", of("make"))
def test_make_knows_how_to_make_what_the_pages_ask_for(words):
    made = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stdout


class Parsed(Exception):
    """A script has parsed its words, and would now begin."""


@pytest.fixture
def only_parsed(monkeypatch):
    def stop_after(parse):
        def stopping(*given, **named):
            parse(*given, **named)
            raise Parsed

        return stopping

    for name in ("parse_args", "parse_known_args"):
        monkeypatch.setattr(argparse.ArgumentParser, name, stop_after(getattr(argparse.ArgumentParser, name)))
    monkeypatch.setattr("pipelines.stages.entry._end_with_dvc", lambda: None)  # this is no stage's process
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(sys, "path", [*sys.path])
    return monkeypatch


@pytest.mark.parametrize("words", [*of("python"), *of("python3")])
def test_modules_and_scripts_of_the_pages_know_their_options(words, only_parsed):
    if words[:2] in (["-m", "venv"], ["-m", "experiments.builtin.photos"]):  # the latter has no options
        return
    module, rest = (words[1], words[2:]) if words[0] == "-m" else (None, words[1:])
    only_parsed.setattr(sys, "argv", [words[0], *rest])
    with pytest.raises(Parsed):
        if module:
            runpy.run_module(module, run_name="__main__")
        else:
            only_parsed.syspath_prepend(str((ROOT / words[0]).parent))
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")


@pytest.mark.parametrize("words", of("dvc"))
def test_dvc_knows_the_options_stages_and_experiments_of_the_pages(words):
    from dvc.cli.parser import get_main_parser

    asked = get_main_parser().parse_args(words)
    for target in asked.targets or () if words[0] in ("repro", "commit") else ():
        path, _, stage = target.rpartition(":") if ":" in target else ("dvc.yaml", "", target)
        if (ROOT / target).is_file():
            path, stage = target, ""
        assert not stage or stage.partition("@")[0] in read_yaml(ROOT / path)["stages"]
        assert (ROOT / path).is_file()


# Every other program of the pages: where its command is run, and a word of that file that says so.
OTHER_PROGRAMS = {
    "mlflow server": ("tests/services/servers.py", '"mlflow", "server"'),
    "mlflow models": ("tests/services/served.py", '"models", "serve"'),
    "prefect server": ("tests/services/servers.py", '"prefect", "server", "start"'),
    "prefect work-pool": ("tests/services/executions.py", '"work-pool", "create", "sftdec"'),
    "prefect worker": ("tests/services/executions.py", '"worker", "start", "--pool", "sftdec"'),
    "prefect block": ("tests/pipelines/flows/test_alarms.py", "Block"),  # which the page has made in the UI
    "torchrun": ("tests/training/test_distributed.py", "torch.distributed.run"),
    "pip install": ("tests/test_install.py", '"pip"'),
    "sudo -u": ("tests/services/servers.py", '"createdb"'),
    "git": ("tests/services/executions.py", "git"),
    "printf": ("tests/services/served.py", "dataframe_records"),
    "curl": ("tests/services/served.py", "/invocations"),
}
SHELL = {".", "export", "cp", "sed", "apt-get"}  # nothing of this project or of its packages


def test_every_other_program_is_run_by_a_test():
    known = {"sftdec", "make", "python", "python3", "dvc"} | SHELL
    asked = {" ".join(each[:2]) for each in map(said, WRITTEN) if each[0] not in known}
    for command in asked:
        (name,) = (name for name in OTHER_PROGRAMS if f"{command} ".startswith(f"{name} "))
        path, word = OTHER_PROGRAMS[name]
        assert word in (ROOT / path).read_text("utf-8"), (command, path)
    assert all(any(f"{command} ".startswith(f"{name} ") for command in asked) for name in OTHER_PROGRAMS)


def test_python_in_the_pages_imports_what_there_is():
    code = [ast.parse(block) for page in PAGES for block in blocks(page, "python")]
    imports = [each for tree in code for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    assert imports
    for each in imports:
        module = importlib.import_module(each.module)
        assert all(hasattr(module, name.name) for name in each.names)


def test_parameters_in_the_pages_are_those_of_the_schema():
    def check(found, section):
        for key, value in found.items():
            kind = section.model_fields[key].annotation
            inner = [each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, Section)]
            if inner and isinstance(value, dict):
                check(value, inner[0])

    written = [block for page in PAGES for block in blocks(page, "yaml")]
    assert written
    for block in written:
        check(ruamel.yaml.YAML(typ="safe").load(block), Params)


# Options in the text of pages that are those of other programs.
OTHERS = {
    "--help",
    "--extra-index-url",
    "--preload",
    "--timeout",
    "--temp",
    "--queue",
    "--local",
    "--staged",
    "--worktree",
}


def test_every_option_in_the_text_is_one_of_a_program_of_ours():
    sources = [path.read_text("utf-8") for room in OURS for path in (ROOT / room).rglob("*.py")]
    known = {option for text in sources for option in re.findall(r"[\"'](--[a-z][a-z-]+)[\"']", text)} | OTHERS
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        named = {each for code in re.findall(r"`([^`]+)`", text) for each in re.findall(r"(?<!\S)--[a-z][a-z-]+", code)}
        assert named <= known, (page, named - known)


def test_files_and_scripts_that_the_text_names_are_there():
    room = re.compile(rf"(?:{'|'.join(OURS)}|tests|docs)/[a-z0-9_./-]+")
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`([^`]+)`", text) if page.name != "CHANGELOG.md" else ():
            if room.fullmatch(code):
                assert (ROOT / code).exists(), (page, code)
            if started := re.match(r"(?:nice -n \d+ )?python3?\s+(-m\s+)?([\w./]+)", code):
                path = started[2].replace(".", "/") if started[1] else started[2]
                places = [ROOT / part / (path + end) for part in ("", "src") for end in ("", ".py")]
                assert any(place.exists() for place in places), (page, code)


def loaded(name):
    """A module of the folder docs."""
    found = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation_and_every_entry_a_page():
    module = loaded("pages")
    named = re.findall(r":\s+([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    written = {"commands.md", "parameters.md", "layouts.md", *module.ELSEWHERE}
    assert sorted(named) == sorted({path.name for path in (ROOT / "docs").glob("*.md")} | written)
    assert "train.common" in module.parameters() and "## sftdec deblur" in module.commands()


NUMBER = re.compile(r"-?\d+\.?\d*")


@pytest.mark.parametrize("name", loaded("drawings").DRAWN)
def test_what_is_drawn_is_of_today(name):
    def parts(text):
        text = re.sub(r"\b[mp][0-9a-f]{10}\b", "", text)  # matplotlib's names of what it draws
        return NUMBER.sub("", text), [float(each) for each in NUMBER.findall(text)]

    kept, drawn = parts((ROOT / "docs" / name).read_text("utf-8")), parts(loaded("drawings").DRAWN[name]())
    assert drawn[0] == kept[0]
    assert drawn[1] == pytest.approx(kept[1], abs=0.01)  # another processor may round otherwise


def test_every_picture_of_the_pages_is_there_and_every_picture_is_shown():
    shown = {
        name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\((?:docs/)?([^)]+)\)", page.read_text("utf-8"))
    }
    assert shown == {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".svg", ".png", ".jpg")}


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http|#)([^)#\s]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page, target)


def test_links_to_code_lead_to_the_page_that_is_written_from_it():
    written = loaded("pages").on_page_markdown
    text = "[keys](../src/sftdec/params/schema.py), [layouts](../src/sftdec/datasets/importers/layouts.py#L1)"
    assert written(text, None, None, None) == "[keys](parameters.md), [layouts](layouts.md#L1)"


def test_the_readme_is_read_in_a_minute():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 90
