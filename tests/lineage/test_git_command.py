"""Git as it is called, whatever a hook's environment or a configuration says."""

import os
import subprocess
from pathlib import Path

import pytest

from sftdec.lineage import WorktreeError, commit_definition, commit_of, git, lineage, place_worktree

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


def test_hooks_signatures_sparse_files_and_a_persons_own_configuration_take_no_part(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = project / ".git/hooks/post-checkout"  # as `dvc install` writes one
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 255\n")
    hook.chmod(0o755)
    (tmp_path / "mine").write_text("[core]\n\tautocrlf = true\n\thooksPath = .git/hooks\n[init]\n\tdefaultBranch = x")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    for key, value in {"commit.gpgsign": "true", "user.signingkey": "nobody", "core.sparseCheckout": "true"}.items():
        git(project, "config", key, value)
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/sparse-checkout").write_text("/params.yaml\n")
    folder = project / "worktree"
    place_worktree(project, folder, commit_of(project, "HEAD"))
    assert (folder / "src/code.py").read_bytes() == (project / "src/code.py").read_bytes()
    (folder / "params.yaml").write_text("another: 1\n")
    assert git(folder, "show", f"{commit_definition(folder, 'Retraining')}:params.yaml") == "another: 1\n"


def test_the_date_of_a_signed_commit_is_read_alone(project: Path, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    (tmp_path / "allowed").write_text(f"t@example.org {(tmp_path / 'key.pub').read_text()}")
    for key, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(tmp_path / "key.pub"),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "allowed"),
        "log.showSignature": "true",
    }.items():
        git(project, "config", key, value)
    signed = ["commit", "-qS", "--allow-empty", "-m", "signed"]
    subprocess.run(["git", "-C", str(project), *IDENTITY, *signed], check=True, capture_output=True)
    folder = project / "worktree"
    place_worktree(project, folder, commit_of(project, "HEAD"))
    (folder / "params.yaml").write_text("another: 1\n")
    assert commit_definition(folder, "Retraining") != commit_of(project, "HEAD")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_another_owners_checkout_is_used_once_a_person_trusts_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in [project, *project.rglob("*")]:
        os.chown(path, 12345, -1)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    with pytest.raises(WorktreeError, match=r"safe\.directory"):
        git(project, "log")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {project}\n")
    assert git(project, "rev-parse", "HEAD")
