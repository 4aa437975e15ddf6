"""What a commit doesn't give, and what can't be known of it."""

import os
import subprocess
from pathlib import Path

import pytest

from sftdec.lineage import lineage
from sftdec.lineage import uncommitted as module

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.org"]


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *IDENTITY, *arguments], check=True)


@pytest.fixture
def project(root: Path) -> Path:
    """All of it committed."""
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        git(root, *arguments)
    assert lineage(root).doubt == ""
    return root


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_told_to_overlook_is_found_and_named(project: Path, flag: str) -> None:
    git(project, "update-index", flag, "src/code.py")
    assert not lineage(project).dirty  # nothing is changed yet
    (project / "src/code.py").write_text("answer = 43\n")
    doubt = lineage(project).doubt
    assert "uncommitted changes of src/code.py" in doubt and "overlook src/code.py: `git ls-files -v`" in doubt


@pytest.mark.parametrize("hidden", ["setting", "info/exclude", "own exclude file", "an ignoring .gitignore"])
def test_a_new_source_file_counts_wherever_it_is_hidden(project: Path, hidden: str, tmp_path: Path) -> None:
    tag = lineage(project).tag
    if hidden == "setting":
        git(project, "config", "status.showUntrackedFiles", "no")
    elif hidden == "info/exclude":
        (project / ".git/info").mkdir(exist_ok=True)
        (project / ".git/info/exclude").write_text("extra.py\n")
    elif hidden == "own exclude file":
        (project / ".git/mine").write_text("extra.py\n")
        git(project, "config", "core.excludesFile", str(project / ".git/mine"))
    else:
        (project / "src/.gitignore").write_text("*\n")
    assert not lineage(project).dirty
    (project / "src/extra.py").write_text("x = 1\n")
    assert "src/extra.py" in lineage(project).doubt
    assert lineage(project).tag != tag  # it is part of what runs


def test_what_python_and_editors_leave_beside_the_source_is_no_change(project: Path) -> None:
    for name in ("__pycache__/code.pyc", "sftdec.egg-info/PKG-INFO", ".code.py.swp"):
        (project / "src" / name).parent.mkdir(exist_ok=True)
        (project / "src" / name).write_text("")
    assert not lineage(project).dirty


def test_a_broken_index_is_no_clean_state_and_comes_with_its_mend(project: Path) -> None:
    (project / ".git/index").write_bytes(b"DIRC broken")
    state = lineage(project)
    assert state.commit is not None and state.tags()["git.dirty"] == "true"
    assert "index file" in state.doubt and "git reset" in state.doubt
    assert state.tags()["git.doubt"] == state.doubt


def test_a_git_that_takes_too_long_is_no_clean_state(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    assert lineage(project).dirty and "took more than 0 s" in lineage(project).doubt


def test_a_project_without_a_commit_or_git_says_so_in_gits_words(root: Path) -> None:
    assert lineage(root).dirty and "not a git repository" in lineage(root).doubt
    git(root, "init", "-q")
    assert lineage(root).commit is None and "commit first" in lineage(root).doubt


def test_a_project_in_the_folder_of_another_repository_isnt_that_ones_commit(root: Path) -> None:
    git(root.parent, "init", "-q", str(root.parent / "outer"))
    outer = root.parent / "outer"
    (outer / ".gitignore").write_text("*\n")
    git(outer, "add", "--force", ".gitignore")
    git(outer, "commit", "-q", "-m", "another project")
    (outer / "project/src").mkdir(parents=True)
    (outer / "project/src/code.py").write_text("x = 1\n")
    assert "uncommitted changes of project/src/code.py" in lineage(outer / "project").doubt


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_another_owners_checkout_is_told_in_gits_words_with_their_mend(project: Path) -> None:
    for path in [project, *project.rglob("*")]:
        os.chown(path, 12345, -1)
    state = lineage(project)
    assert state.commit is None and "safe.directory" in state.doubt
