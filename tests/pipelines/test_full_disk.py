"""A disk that is full, on a file system of 32 MB: what is said, and that it goes on when there is room."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.dvc.stages import StageFailed, reproduce
from pipelines.stages.entry import run_stage
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.registry import register, versions
from sftdec.runtime.atomic import atomic_path
from sftdec.tracking import read_settings
from sftdec.tracking.settings import open_client
from tests.pipelines.conftest import make_project
from tests.pipelines.dvc.test_stages import quiet
from tests.pipelines.flows import commit

pytestmark = [pytest.mark.slow, pytest.mark.services]

STAGE = """
import pathlib, sys
from pipelines.stages.entry import run_stage
from sftdec.runtime.atomic import atomic_path
def main():
    with atomic_path(pathlib.Path(sys.argv[1])) as temporary:
        temporary.write_bytes(sys.argv[1][-5:].encode() * 300_000)
run_stage(main)
"""
PIPELINE = """
stages:
  fetch: {cmd: python code/large.py build/scenes/a.bin, deps: [data], outs: [build/scenes]}
  patches: {cmd: python code/large.py build/patches/b.bin, deps: [build/scenes], outs: [build/patches]}
"""


@pytest.fixture
def disk(tmp_path):
    """An empty file system of 32 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system can't be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A file that takes all but `leave` bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    filler.write_bytes(b"\0" * (shutil.disk_usage(disk).free - leave))
    return filler


def test_a_file_that_does_not_fit_is_told_with_its_folder_and_bytes_and_the_old_one_stays(disk):
    path = disk / "folder/index.bin"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"old")
    filler = fill(disk, 1_000_000)
    found = r"index\.bin could not be written .*it needs more than 9\d\d,\d\d\d bytes in .*folder, where "
    try:
        with (
            pytest.raises(OSError, match=found + r"(9\d\d|1,0\d\d),\d\d\d bytes are free"),
            atomic_path(path) as temporary,
        ):
            temporary.write_bytes(b"n" * 2_000_000)
        assert path.read_bytes() == b"old" and [file.name for file in path.parent.iterdir()] == ["index.bin"]
    finally:
        filler.unlink()


def test_a_stage_says_what_is_free_and_what_it_took_and_goes_on_when_there_is_room(disk, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}/src:{Path(__file__).parents[2]}")
    root = make_project(disk / "project", PIPELINE)
    (root / "code/large.py").write_text(STAGE)
    commit(root)
    filler = fill(disk, 1_000_000)
    with pytest.raises(StageFailed) as full:
        reproduce("fetch", root, quiet)
    message = str(full.value)
    assert "The disk is full: free are" in message and f"bytes in {root}" in message
    assert "it needs more than 9" in message and "build/scenes, where" in message
    filler.unlink()
    assert reproduce("fetch", root, quiet).ran

    filler = fill(disk, 2_000_000)  # room for the out, none for DVC's copy of it
    with pytest.raises(
        StageFailed, match=r"could not be put into DVC's cache\. The disk is full: free are [\d,]+ bytes"
    ):
        reproduce("patches", root, quiet)
    assert not list((root / ".dvc/cache").rglob("*.tmp"))
    filler.unlink()
    assert reproduce("patches", root, quiet).outcome in ("ran", "restored")
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=root, capture_output=True, text=True)
    assert "up to date" in status.stdout


def test_registering_says_what_is_free_and_registers_once_when_there_is_room(disk, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(disk)
    weights = disk / "weights.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small"), 0), weights)
    assert versions(disk) == []
    open_client(read_settings(disk)).search_experiments()  # the database
    filler = fill(disk, 100_000)
    with pytest.raises(SystemExit):
        run_stage(lambda: register(weights, None, {}, disk))
    assert "make room and run again" in (said := capsys.readouterr().err)
    assert re.search(r"disk is full: [\d,]+ bytes are free in /", said), said
    filler.unlink()
    assert register(weights, None, {}, disk).number == 1 == len(versions(disk))
