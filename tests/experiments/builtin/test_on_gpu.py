"""The three calls on a borrowed GPU, rehearsed on the CPU, and the pieces in which a training travels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.builtin import on_gpu

ROOT = Path(__file__).parents[3]
SMALL = ("--device", "cpu", "--batch", "2", "--crop", "32", "--workers", "0", "--threads", "1", "--unjudged")


def training(folder, step, state, weights=b"weights"):
    """A training's folder as go_on leaves it."""
    (folder / "states" / "go_on-key").mkdir(parents=True, exist_ok=True)
    (folder / "states" / "go_on-key" / f"step-{step:09d}.pt").write_bytes(state)
    (folder / "weights.safetensors").write_bytes(weights)
    return folder


@given(sizes=st.tuples(st.integers(1, 400), st.integers(1, 400)), piece=st.integers(50, 300))
@settings(max_examples=25, deadline=None)
def test_what_was_split_is_joined_to_the_same_bytes(tmp_path_factory, sizes, piece):
    root = tmp_path_factory.mktemp("pieces")
    contents = [os.urandom(size) for size in sizes]
    before, on_gpu.PIECE = on_gpu.PIECE, piece
    try:
        on_gpu.split(training(root / "from", 7, *contents), root / "out")
    finally:
        on_gpu.PIECE = before
    on_gpu.join(root / "out", root / "to")
    assert max(path.stat().st_size for path in (root / "out").glob("step-*")) <= piece
    for name, content in zip(("states/go_on-key/step-000000007.pt", "weights.safetensors"), contents, strict=True):
        assert (root / "to" / name).read_bytes() == content


def test_newer_pieces_replace_older_ones(tmp_path):
    on_gpu.split(training(tmp_path / "from", 7, b"old"), tmp_path / "out")
    on_gpu.split(training(tmp_path / "from", 30, b"new"), tmp_path / "out")
    assert {path.name.partition("-")[2][:9] for path in (tmp_path / "out").glob("step-*")} == {"000000030"}
    on_gpu.join(tmp_path / "out", tmp_path / "to")
    assert [path.name for path in (tmp_path / "to").glob("states/*/*")] == ["step-000000030.pt"]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "missing, expected all; fetch them again"),
        (lambda path: path.write_bytes(b"other"), "damaged, fetch them again"),
        (lambda path: path.with_name("pieces.json").unlink(), "found no list of pieces"),
    ],
)
def test_pieces_that_are_missing_or_damaged_are_named(tmp_path, harm, told):
    on_gpu.split(training(tmp_path / "from", 7, b"state"), tmp_path / "out")
    harm(tmp_path / "out" / "step-000000007-pt.000")
    with pytest.raises(SystemExit, match=told):
        on_gpu.join(tmp_path / "out", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def call(*options):
    command = [sys.executable, "experiments/builtin/on_gpu.py", *map(str, options)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.services
def test_a_training_on_one_machine_goes_on_on_the_next(build, rendered, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    done = call("train", "--build", build, "--out", first, "--minutes", 1, "--stop", 0.03, *SMALL)
    assert done.returncode == 0, done.stderr
    fresh = shutil.copytree(rendered, tmp_path / "fresh")
    done = call("go-on", "--build", fresh, "--pieces", first, "--out", second, "--minutes", 1, "--stop", 0.03, *SMALL)
    assert done.returncode == 0, done.stderr
    lists = [json.loads((folder / "pieces.json").read_text()) for folder in (first, second)]
    steps = [int(next(name for name in each if name.endswith(".pt")).split("step-")[1][:9]) for each in lists]
    assert 0 < steps[0] < steps[1] and f"{steps[1]} in all" in done.stdout


def test_a_call_that_lacks_what_it_needs_says_so():
    done = call("go-on", "--out", "x", "--minutes", 1)
    assert done.returncode != 0 and "go-on needs --out and --pieces" in done.stderr
