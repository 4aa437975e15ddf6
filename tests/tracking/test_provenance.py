"""What weights were made from, by the runs that say so."""

import json
import logging
import subprocess
from pathlib import Path

import pytest

from sftdec.lineage import lineage
from sftdec.tracking import WEIGHTS, TrackingSettings, experiment_id, open_client, origin_of, track_stage
from tests.tracking.recorded import only, stage_runs

DIGEST, S2 = "d" * 64, "2" * 64
CLEAN = {"git.commit": "a" * 40, "git.dirty": "false", "sftdec.lineage": "t", "hash.params": "p", "other": "x"}


def run(settings: TrackingSettings, tags: dict[str, str], at: int = 0) -> str:
    client = open_client(settings)
    return str(client.create_run(experiment_id(client, settings), at, tags).info.run_id)


def test_weights_are_of_the_run_that_wrote_them_deleted_or_not(root: Path, settings: TrackingSettings) -> None:
    assert "no run in MLflow" in origin_of(DIGEST, root, settings)["unreproducible"]
    made = run(settings, CLEAN | {f"out.{WEIGHTS}": DIGEST})
    run(settings, CLEAN | {f"out.{WEIGHTS}": "e" * 64, "git.commit": "b" * 40})
    open_client(settings).delete_run(made)
    expected = {key: value for key, value in CLEAN.items() if key != "other"} | {"made.run": made}
    assert origin_of(DIGEST, root, settings) == expected


def test_of_several_runs_the_newest_that_a_commit_stands_for_counts(root: Path, settings: TrackingSettings) -> None:
    out = {f"out.{WEIGHTS}": DIGEST}
    run(settings, CLEAN | out | {"git.commit": "1" * 40}, 1)
    wanted = run(settings, CLEAN | out, 2)
    run(settings, CLEAN | out | {"git.dirty": "true", "git.doubt": "uncommitted changes of src/x.py"}, 3)
    assert origin_of(DIGEST, root, settings)["made.run"] == wanted


@pytest.mark.parametrize(("doubt", "reason"), [("in Git's words", "in Git's words"), ("", "outside Git")])
def test_a_run_of_no_clean_commit_says_why(root: Path, settings: TrackingSettings, doubt: str, reason: str) -> None:
    tags = {f"out.{WEIGHTS}": DIGEST, "sftdec.lineage": "t"} | ({"git.doubt": doubt} if doubt else {})
    run(settings, tags)
    assert reason in origin_of(DIGEST, root, settings)["unreproducible"]


def test_what_an_earlier_stages_code_changed_under_is_of_no_commit_until_it_is_made_anew(
    root: Path, settings: TrackingSettings
) -> None:
    run(settings, CLEAN | {f"out.{WEIGHTS}": DIGEST, "in.build/models/s2": S2, "in.build/scenes": "0" * 64})
    run(settings, CLEAN | {"out.build/models/s2": S2, "unreproducible": "loss.py changed while train_s2 ran"})
    assert origin_of(DIGEST, root, settings)["unreproducible"] == "loss.py changed while train_s2 ran"
    run(settings, CLEAN | {"out.build/models/s2": S2})
    assert "unreproducible" not in origin_of(DIGEST, root, settings)


def test_what_an_earlier_stage_made_of_other_code_or_parameters_is_of_no_commit_until_it_is_made_anew(
    root: Path, settings: TrackingSettings
) -> None:
    now, before = (json.dumps({"train_s1": digest, "train_s3": "3"}) for digest in ("new", "old"))
    made = {"sftdec.stage": "train_s1", "out.build/models/s1": S2}
    run(settings, CLEAN | {f"out.{WEIGHTS}": DIGEST, "in.build/models/s1": S2, "sftdec.defined": now})
    run(settings, CLEAN | made | {"sftdec.defined": before})
    assert "train_s1, of whose result it is made, ran with" in origin_of(DIGEST, root, settings)["unreproducible"]
    run(settings, CLEAN | made | {"sftdec.defined": now})
    assert "unreproducible" not in origin_of(DIGEST, root, settings)


def test_what_two_runs_read_of_a_third_that_was_made_anew_is_known_to_both(
    root: Path, settings: TrackingSettings
) -> None:
    now, before = (json.dumps({"fetch": digest}) for digest in ("new", "old"))
    scenes = {"in.build/scenes": "5" * 64}
    run(settings, CLEAN | scenes | {f"out.{WEIGHTS}": DIGEST, "in.build/patches": S2, "sftdec.defined": now})
    run(settings, CLEAN | scenes | {"out.build/patches": S2, "sftdec.defined": now})
    made = CLEAN | {"sftdec.stage": "fetch", "out.build/scenes": "5" * 64}
    run(settings, made | {"sftdec.defined": before}, 1)
    assert "fetch, of whose result it is made, ran with" in origin_of(DIGEST, root, settings)["unreproducible"]
    run(settings, made | {"sftdec.defined": now}, 2)
    assert "unreproducible" not in origin_of(DIGEST, root, settings)


@pytest.mark.parametrize("stage", ["train_s1", "unknown to dvc.yaml"])
def test_a_stage_whose_code_changes_and_is_committed_meanwhile_says_so(
    root: Path, settings: TrackingSettings, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "dvc.yaml").write_text("stages:\n  train_s1: {cmd: x, deps: [data, src/code.py]}\n")
    for arguments in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    commit = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "x"]
    subprocess.run(commit, cwd=root, check=True)
    began = lineage(root)
    with caplog.at_level(logging.WARNING), track_stage(stage, root, settings=settings):
        (root / "src/code.py").write_text("answer = 43\n")
        subprocess.run(commit, cwd=root, check=True)
    tags = only(stage_runs(settings)).data.tags
    assert tags["git.commit"] == began.commit
    assert set(json.loads(tags.get("sftdec.defined", "{}"))) == {stage} & {"train_s1"}
    assert f"src/code.py changed while {stage} ran" in tags["unreproducible"] and tags["unreproducible"] in caplog.text


def test_code_that_a_stage_doesnt_depend_on_may_change_meanwhile(
    root: Path, settings: TrackingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "dvc.yaml").write_text("stages:\n  train_s1: {cmd: x, deps: [data, src/code.py]}\n")
    with track_stage("train_s1", root, enabled=True, settings=settings):
        (root / "src/demo.py").write_text("x = 1\n")
    assert "unreproducible" not in only(stage_runs(settings)).data.tags and "changed" not in caplog.text


def test_parameters_that_change_meanwhile_are_told_since_dvc_notes_them_for_a_result_they_did_not_make(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "dvc.yaml").write_text("stages:\n  train_s1: {cmd: x, deps: [src/code.py], params: [train]}\n")
    for told in (False, True):
        (root / "params.yaml").write_text("train: {steps: 1}\n")
        with track_stage("train_s1", root, settings=TrackingSettings("", None, enabled=False)):
            (root / "params.yaml").write_text(f"train: {{steps: {1 + told}}}\nother: 1\n")
        assert ("dvc repro -f train_s1" in caplog.text) == told
