"""Git as it is called, whatever a hook's environment says."""

import subprocess
from pathlib import Path

import pytest

from sftdec.lineage import WorktreeError, commit_of, git, lineage, place_worktree

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.org"]


@pytest.fixture
def project(root: Path) -> Path:
    """Two commits."""
    (root / ".gitignore").write_text("/worktree/\n")
    for arguments in (["init", "-q"], ["add", "."], *[[*IDENTITY, "commit", "-q", "--allow-empty", "-m", "one"]] * 2):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    return root


def test_a_hooks_variables_reach_neither_a_worktree_nor_its_lineage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, index = commit_of(project, "HEAD~1"), (project / ".git/index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    place_worktree(project, project / "worktree", first)
    assert lineage(project / "worktree").commit == first and not lineage(project / "worktree").dirty
    assert (project / ".git/index").read_bytes() == index


def test_what_git_refuses_or_takes_too_long_for_is_an_error_with_its_own_sentence(project: Path) -> None:
    with pytest.raises(WorktreeError, match=r"`git log` refused: fatal: .*nowhere"):
        git(project, "log", "nowhere")
    with pytest.raises(WorktreeError, match="`git log` took more than 0"):
        git(project, "log", patience=0.0)
