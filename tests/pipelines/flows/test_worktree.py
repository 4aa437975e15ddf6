"""The worktree that a project is retrained in."""

import shutil
import subprocess
import sys

import pytest
import yaml

from pipelines.dvc.stages import reproduce, run_dvc
from pipelines.flows.turns import BusyError, held
from pipelines.flows.worktree import WORKTREE, Definition, name_definition, prepare
from sftdec.lineage import WorktreeError, worktrees
from tests.pipelines.flows import commit, git, worktree

PARAMS = "fetch: {datasets: [sample]}  # what is fetched\ntrain:\n  steps: 10\ngate: {min_gain: 0.0}\n"


@pytest.fixture
def small(tmp_path):
    """A project in Git whose params.yaml names one data set; data/ holds two more."""
    root = tmp_path / "project"
    for name, text in {
        "params.yaml": PARAMS,
        "params.paper.yaml": PARAMS.replace("10", "400"),
        "dvc.lock": "stages: {fetch: {cmd: python fetch.py}}\n",
        ".dvc/config": "",
        ".gitignore": "/.retrain/\n/data/*\n!/data/sample/\n",
        "data/sample/recipes.csv": "photo,lens\n",
        "data/own/deep/photo.txt": "one\n",
        "data/other/photo.txt": "of no interest\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "--quiet")
    commit(root)
    return root


def prepared(root, **asked):
    """The worktree brought to a definition; its commit, and what was logged."""
    logged = []
    definition = Definition(**asked)
    with held(root, WORKTREE) as place:
        prepare(root, place, definition, lambda text, *values: logged.append(text % values))
        return name_definition(place, definition, lambda *_: None), logged


def test_a_definition_is_a_commit_that_gives_it_and_equal_ones_are_the_same_commit(small):
    plain, _ = prepared(small)
    assert plain == git(small, "rev-parse", "HEAD")
    asked = {"scale": "params.paper.yaml", "datasets": ("sample", "own"), "overrides": {"train.steps": 7}}
    mine, _ = prepared(small, **asked, promote=False)
    (worktree(small) / "dvc.lock").write_text("stages: {fetch: {cmd: python another.py}}\n")
    assert prepared(small, **asked, promote=False)[0] == mine != prepared(small, **asked)[0]
    given = yaml.safe_load(git(small, "show", f"{mine}:params.yaml"))
    assert given["fetch"]["datasets"] == ["sample", "own"] and given["train"]["steps"] == 7
    assert given["gate"] == {"min_gain": 0.0, "promote": False}
    assert git(small, "diff", "--name-only", f"{mine}~", mine) == "params.yaml"
    assert git(small, "for-each-ref", "refs/retrain", "--format=%(objectname)", f"--points-at={mine}") == mine


def test_the_checkout_and_what_is_not_committed_there_take_no_part(small):
    before = git(small, "symbolic-ref", "HEAD")
    (small / "params.yaml").write_text("mine: true\n")
    _, logged = prepared(small)
    assert (worktree(small) / "params.yaml").read_text() == PARAMS
    assert any("Changes in the checkout that aren't committed (params.yaml) take no part" in line for line in logged)
    assert git(small, "symbolic-ref", "HEAD") == before and git(small, "status", "--porcelain") == "M params.yaml"


def test_what_stages_wrote_outlives_another_revision_and_what_was_torn_does_not(small):
    prepared(small)
    lock, written = worktree(small) / "dvc.lock", "stages: {fetch: {cmd: python fetch.py, outs: []}}\n"
    lock.write_text(written)
    (small / "README.md").write_text("a later commit\n")
    later = commit(small)
    assert prepared(small)[0] == later and lock.read_text() == written
    lock.write_text("stages:\n  fetch:\n    cm")
    (small / ".git/worktrees/worktree/index.lock").write_text("")
    _, logged = prepared(small)
    assert lock.read_text() == (small / "dvc.lock").read_text()
    assert any("dvc.lock was in pieces" in line for line in logged)
    assert any("index.lock" in line for line in logged)


def test_a_file_that_is_not_the_commits_is_never_used_whatever_the_index_says_of_it(small):
    (small / "src").mkdir()
    (small / "src/code.py").write_text("answer = 42\n")
    (small / "dvc.yaml").write_text("stages: {fetch: {cmd: fetch.py, metrics: [reports/m.json: {cache: false}]}}\n")
    (small / "reports").mkdir()
    (small / "reports/m.json").write_text("{}\n")
    commit(small)
    prepared(small)
    place = worktree(small)
    (place / "reports/m.json").write_text('{"psnr": 1}\n')  # an out that Git tracks
    (place / "src/code.py").write_text("answer = 4")  # cut short
    git(place, "update-index", "--assume-unchanged", "src/code.py")
    (place / "src/stray.py").write_text("")
    (place / "src/__pycache__").mkdir()
    (place / "src/__pycache__/code.cpython-311.pyc").write_text("cut sho")
    _, logged = prepared(small)
    assert (place / "src/code.py").read_text() == "answer = 42\n"
    assert [path.name for path in (place / "src").iterdir()] == ["code.py"]
    assert (place / "reports/m.json").read_text() == '{"psnr": 1}\n'
    assert [line for line in logged if "Mended" in line] == [
        "Mended: src/code.py wasn't as its commit has it, and was made anew"
    ]


def test_a_disk_that_does_not_hold_what_is_written_is_told(small, monkeypatch):
    prepared(small)
    (worktree(small) / "params.paper.yaml").write_text("")
    real = worktrees.git
    lost = lambda folder, *arguments, **more: "" if arguments[0] == "checkout" else real(folder, *arguments, **more)  # noqa: E731
    monkeypatch.setattr(worktrees, "git", lost)
    with pytest.raises(WorktreeError, match=r"params\.paper\.yaml: not what was written there; make room"):
        prepared(small)


@pytest.mark.slow
def test_the_first_execution_starts_from_the_checkouts_own_lock_and_finds_its_results_in_any_path(project, tmp_path):
    (tmp_path / "jörg").mkdir()
    root = project.rename(tmp_path / "jörg" / "Проект")
    run_dvc(["install"], root, lambda line: None)
    run_dvc(["repro"], root, lambda line: None)
    prepared(root)
    assert (worktree(root) / "dvc.lock").read_bytes() == (root / "dvc.lock").read_bytes()
    assert [reproduce(stage, worktree(root), lambda line: None).outcome for stage in ("fetch", "train_s1")] == [
        "restored"
    ] * 2


def test_the_data_sets_that_are_named_are_brought_as_they_are_now_and_no_others(small):
    prepared(small, datasets=("sample", "own"))
    data = worktree(small) / "data"
    assert {path.name for path in data.iterdir()} == {"sample", "own"}
    (small / "data/own/deep/photo.txt").unlink()
    (small / "data/own/new.txt").write_text("two\n")
    prepared(small, datasets=("sample", "own"))
    assert [path.name for path in (data / "own").rglob("*.txt")] == ["new.txt"]
    prepared(small)
    assert {path.name for path in data.iterdir()} == {"sample"} and (small / "data/own/new.txt").is_file()


def test_a_revision_or_scale_that_is_not_there_is_named(small):
    with pytest.raises(WorktreeError, match="found no commit 'nowhere'"):
        prepared(small, revision="nowhere")
    with pytest.raises(WorktreeError, match=r"params\.huge\.yaml: HEAD has no such .* params\.paper\.yaml, params\.y"):
        prepared(small, scale="params.huge.yaml")


def test_parameters_that_the_revisions_own_code_refuses_are_told_before_anything_runs(small):
    for name in ("pipelines/__init__.py", "pipelines/stages/__init__.py"):
        (small / name).parent.mkdir(exist_ok=True)
        (small / name).write_text("")
    refuse = "import sys\ndef check(path): 'many' in path.read_text() and sys.exit('error: train.steps: found many')\n"
    (small / "pipelines/stages/entry.py").write_text(refuse)
    commit(small)
    prepared(small, overrides={"train.steps": 5})
    with pytest.raises(WorktreeError, match=r"^train\.steps: found many$"):
        prepared(small, overrides={"train.steps": "many"})


def test_a_second_execution_is_turned_away_until_the_first_ends_even_by_kill_9(small):
    code = "import sys, pathlib; from pipelines.flows.turns import held\n"
    code += "with held(pathlib.Path(sys.argv[1]), 'worktree'): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(small)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="another execution is at work"), held(small, WORKTREE):
            pass
        holder.kill()
    with held(small, WORKTREE) as place:
        assert place == worktree(small)


@pytest.mark.slow
def test_data_that_dvc_keeps_comes_from_the_checkouts_cache_as_the_commit_has_it(project):
    (project / "data.dvc").write_text("outs:\n- path: data\n")
    git(project, "rm", "--quiet", "-r", "--cached", "data")
    run_dvc(["add", "data"], project, lambda line: None)
    commit(project)
    (project / "data/sample/recipes.csv").write_text("a later photo\n")
    prepared(project)
    assert (worktree(project) / "data/sample/recipes.csv").read_text() == "photo,lens\n"

    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(worktree(project) / "data")
    with pytest.raises(WorktreeError, match="neither in DVC's cache nor to be had from a remote"):
        prepared(project)
