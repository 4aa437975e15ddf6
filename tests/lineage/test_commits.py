"""The lineage: what a run was made from."""

import subprocess
from pathlib import Path

import pytest

from sftdec.lineage.commits import lineage
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import EXPERIMENT


def test_a_folders_checksum_depends_on_names_and_contents_and_on_nothing_else(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x.txt").write_text(text)
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b")
    assert checksum(tmp_path / "a") != checksum(tmp_path / "c")
    (tmp_path / "b" / "sub" / "x.txt").rename(tmp_path / "b" / "sub" / "y.txt")
    assert checksum(tmp_path / "a") != checksum(tmp_path / "b")


def test_the_checksum_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("abc")
    assert checksum(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_the_checksum_of_nothing_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
        checksum(tmp_path / "gone.txt")


@pytest.mark.parametrize("changed", ["params.yaml", "data.dvc", "dvc.yaml", "src/code.py"])
def test_the_lineage_tag_changes_with_what_defines_an_execution(root: Path, changed: str) -> None:
    before = lineage(root).tag
    assert lineage(root).tag == before
    (root / changed).write_text("new: 1\n")
    assert lineage(root).tag != before


def test_what_stages_and_python_write_does_not_change_the_lineage_tag(root: Path) -> None:
    before = lineage(root)
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    (root / "src" / "__pycache__").mkdir()
    (root / "src" / "__pycache__" / "code.pyc").write_text("")
    after = lineage(root)
    assert after.tag == before.tag
    assert before.lock is None and after.lock is not None


def test_outside_git_a_lineage_has_no_commit_and_inside_it_knows_whether_the_source_is_committed(
    root: Path,
) -> None:
    assert lineage(root).commit is None
    assert "git.dirty" not in lineage(root).tags()
    outside = lineage(root).tag
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    clean = lineage(root)
    assert clean.commit is not None and len(clean.commit) == 40
    assert clean.tags()["git.dirty"] == "false"
    assert clean.tag == outside
    (root / "src" / "new.py").write_text("not yet added\n")
    assert lineage(root).dirty
    assert lineage(root).tag != clean.tag


def test_settings_come_from_the_environment_that_is_given(root: Path) -> None:
    default = read_settings(root, {})
    assert default.uri == f"sqlite:///{root / 'mlflow.db'}" and default.enabled and not default.is_remote
    assert default.artifact_location == (root / "mlruns" / EXPERIMENT).as_uri()
    given = {"MLFLOW_TRACKING_URI": "https://host:1", "SFTDEC_TRACKING": "off", "SFTDEC_PIPELINE_RUN": "abc"}
    assert read_settings(root, given) == TrackingSettings("https://host:1", None, False, "abc")
