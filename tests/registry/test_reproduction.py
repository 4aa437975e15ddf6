"""A version is trained again from its commit and data, in a small project whose stages take milliseconds."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sftdec.cli import main
from sftdec.lineage.commits import lineage
from sftdec.registry.reproduction import WEIGHTS, run_pipeline
from sftdec.runtime.checksums import checksum
from sftdec.tracking import TrackingSettings, read_settings
from sftdec.tracking.settings import experiment_id, open_client
from tests.pipelines.conftest import make_project
from tests.pipelines.dvc.test_stages import alive
from tests.pipelines.flows import commit, git

pytestmark = pytest.mark.slow

PIPELINE = f"""
stages:
  fetch:
    cmd: python code/stage.py fetch data build/scenes/index.txt
    deps: [data, code/stage.py]
    outs: [build/scenes]
  train_s3:
    cmd: echo registry $MLFLOW_TRACKING_URI && python code/stage.py train_s3 build/scenes/index.txt {WEIGHTS}
    deps: [build/scenes, code/stage.py]
    outs: [{WEIGHTS}]
"""
WRITTEN = {"build/scenes/index.txt": "photo.txt one\nrecipes.csv photo,lens\n"}
WRITTEN[WEIGHTS] = f"index.txt {WRITTEN['build/scenes/index.txt']}"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrackingSettings]:
    """A checkout that went on after its version 1: another commit, another seed in the working files."""
    root = make_project(tmp_path_factory.mktemp("rebuilt") / "project", PIPELINE)
    (root / "params.yaml").write_text("fetch: {datasets: [sample, own]}\n")
    (root / "data/own").mkdir()
    (root / "data/own/photo.txt").write_text("one\n")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], cwd=root, check=True)
    commit(root)
    settings = read_settings(root, {})
    for name, text in WRITTEN.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    client = open_client(settings)
    experiment = experiment_id(client, settings)
    scenes = {"out.build/scenes": checksum(root / "build/scenes")}
    fetch = client.create_run(experiment, tags=scenes).info.run_id
    register = client.create_run(experiment, tags={"upstream.build/scenes": fetch}).info.run_id
    client.create_registered_model("sft-dec")
    good = {**lineage(root).tags(), "weights_sha256": checksum(root / WEIGHTS)}
    other = client.create_run(experiment, tags={"in.build/scenes": "0" * 64}).info.run_id
    wanted = [
        (register, good),
        (register, {**good, "weights_sha256": "1" * 64}),
        (other, {**good, "weights_sha256": "1" * 64}),
        (register, {**good, "git.dirty": "true"}),
        (register, {key: value for key, value in good.items() if not key.startswith("git.")}),
        (register, {**good, "git.commit": "f" * 40}),
    ]
    for run, tags in wanted:
        client.create_model_version("sft-dec", root.as_uri(), run, tags=tags)
    client.set_registered_model_alias("sft-dec", "champion", "1")
    (root / "code/stage.py").write_text("raise SystemExit('the code of a later commit')\n")
    commit(root)
    (root / "params.yaml").write_text("not: [yaml\n")
    return root, settings


@pytest.fixture
def root(rebuilt: tuple[Path, TrackingSettings], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(rebuilt[0])
    return rebuilt[0]


def test_a_version_is_trained_again_from_its_own_commit_and_is_identical(root: Path, capsys) -> None:
    before = git(root, "status", "--porcelain")
    assert main(["reproduce", "models:/sft-dec@champion"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("identical: models:/sft-dec/1 ")
    assert "Running stage 'fetch'" in printed.err and "Running stage 'train_s3'" in printed.err
    assert f"registry sqlite:///{root / 'mlflow.db'}" in printed.err  # where initial weights may be a version of
    assert not list(root.glob(".retrain/reproduce-*"))
    assert len(git(root, "worktree", "list").splitlines()) == 1
    assert git(root, "status", "--porcelain") == before


@pytest.mark.parametrize(
    ("version", "first"), [(2, f"{WEIGHTS} of stage train_s3"), (3, "build/scenes of stage fetch")]
)
def test_the_first_out_that_differs_is_named(root: Path, capsys, version: int, first: str) -> None:
    assert main(["reproduce", f"models:/sft-dec/{version}"]) == 1
    assert f"models:/sft-dec/{version} differs from the weights trained again: the first that does is {first}" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (4, "uncommitted changes"),
        (5, "registered without a Git commit"),
        (6, "found no commit 'ffff"),
        (9, "not in the registry"),
    ],
)
def test_a_version_that_no_commit_gives_is_refused_with_the_reason(root: Path, capsys, version: int, reason: str):
    assert main(["reproduce", f"models:/sft-dec/{version}"]) == 2
    assert reason in capsys.readouterr().err


def test_data_that_is_no_longer_what_it_was_is_refused(root: Path, capsys) -> None:
    photo = root / "data/own/photo.txt"
    photo.write_text("another photo\n")
    try:
        assert main(["reproduce", "models:/sft-dec/1"]) == 2
    finally:
        photo.write_text("one\n")
    assert "isn't what it was when the version was trained" in capsys.readouterr().err
    assert not list(root.glob(".retrain/reproduce-*"))


def test_what_ends_it_ends_the_training_too(tmp_path: Path) -> None:
    pipeline = f"stages:\n  train_s3: {{cmd: python code/sleeper.py, outs: [{WEIGHTS}]}}\n"
    root, sleeping = make_project(tmp_path / "project", pipeline), tmp_path / "project/pid.txt"

    def ended(line: str) -> None:
        deadline = time.monotonic() + 60
        while line.startswith("> ") and time.monotonic() < deadline:
            if sleeping.is_file() and sleeping.read_text():
                raise SystemExit(143)  # as a SIGTERM does
            time.sleep(0.05)

    with pytest.raises(SystemExit):
        run_pipeline(root, ended, root, read_settings(root, {}))
    deadline = time.monotonic() + 30
    while alive(int(sleeping.read_text())) and time.monotonic() < deadline:  # who is killed may be a moment dying
        time.sleep(0.05)
    assert not alive(int(sleeping.read_text()))
