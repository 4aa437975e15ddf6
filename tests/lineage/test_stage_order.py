"""The stages of a DVC project, in their order."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from sftdec.lineage import stage_order, stage_outs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    Repo.init(str(tmp_path), no_scm=True).close()
    return tmp_path


def test_a_folder_that_is_no_project_or_has_no_stages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not inside of a DVC repository"):
        stage_order(tmp_path)
    Repo.init(str(tmp_path), no_scm=True).close()
    with pytest.raises(ValueError, match=r"dvc\.yaml' does not exist"):
        stage_order(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(ValueError, match=r"dvc\.yaml: found no stages"):
        stage_order(tmp_path)


def test_stages_that_wait_for_each_other_are_refused(project: Path) -> None:
    (project / "dvc.yaml").write_text(
        "stages:\n"
        "  a: {cmd: a, deps: [x], outs: [y]}\n"
        "  b: {cmd: b, deps: [y], outs: [z]}\n"
        "  c: {cmd: c, deps: [z], outs: [x]}\n"
    )
    with pytest.raises(ValueError, match="both a dependency and an output"):
        stage_order(project)


def test_a_stage_follows_the_makers_of_files_inside_a_folder_that_it_reads(project: Path) -> None:
    (project / "dvc.yaml").write_text(
        "stages:\n"
        "  evaluate: {cmd: e, deps: [build/curves]}\n"
        "  s2: {cmd: b, deps: [build/models/s1.bin], plots: [build/curves/s2.csv: {x: step}]}\n"
        "  s1: {cmd: a, outs: [build/models], plots: [build/curves/s1.csv]}\n"
    )
    assert stage_order(project) == ["s1", "s2", "evaluate"]
    assert stage_outs(project) == {"evaluate": [], "s2": [], "s1": ["build/models"]}


def test_of_the_main_pipeline_only_what_the_file_needs_is_named(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages:\n  other: {cmd: o, outs: [o]}\n  fetch: {cmd: f, outs: [scenes]}\n")
    (project / "inner").mkdir()
    (project / "inner/dvc.yaml").write_text(
        "stages:\n"
        "  judge: {cmd: j, deps: [out/b]}\n"
        "  train:\n    matrix: {name: [b, a]}\n    cmd: t\n    deps: [../scenes]\n    outs: ['out/${item.name}']\n"
    )
    inner = "inner/dvc.yaml"
    assert stage_order(project, inner) == ["fetch", f"{inner}:train@b", f"{inner}:train@a", f"{inner}:judge"]
