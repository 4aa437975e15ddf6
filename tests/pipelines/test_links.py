"""DVC's cache costs no second copy of what stages make, and survives whoever writes over it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.dvc.stages import reproduce
from sftdec.runtime import atomic_path
from tests.pipelines.conftest import make_project
from tests.pipelines.dvc.test_stages import quiet

pytestmark = [pytest.mark.slow, pytest.mark.services]

# the first file is a kept one under a second name, as fetch brings it
STAGE = """
import os, pathlib
out = pathlib.Path("build/scenes")
out.mkdir(parents=True)
os.link("../kept.bin", out / "kept.bin")
for source in pathlib.Path("data/sample").iterdir():
    (out / f"{source.name}.bin").write_bytes(source.name.encode() * 1000)
"""
PIPELINE = "stages:\n  fetch: {cmd: python code/link.py, deps: [data], outs: [build/scenes: {push: false}]}\n"


def copies(root):
    """Each content that lies below the project's scenes, its cache and beside it, with how often the disk has it."""
    found: dict[bytes, set[int]] = {}
    for path in (root.parent / "kept.bin", *(root / "build").rglob("*.bin"), *(root / ".dvc/cache/files").rglob("*")):
        if path.is_file() and not path.name.endswith(".dir"):
            found.setdefault(path.read_bytes(), set()).add(path.stat().st_ino)
    return sorted(len(inodes) for inodes in found.values())


def test_a_result_lies_on_the_disk_once_also_when_it_is_made_again_beside_a_new_one(tmp_path):
    (tmp_path / "kept.bin").write_bytes(b"kept" * 1000)
    root = make_project(tmp_path / "project", PIPELINE)
    (root / "code/link.py").write_text(STAGE)
    shutil.copyfile(Path(__file__).parents[2] / ".dvc/config", root / ".dvc/config")
    reproduce("fetch", root, quiet)
    assert copies(root) == [1, 1]

    (root / "data/sample/another.csv").write_text("photo,lens\n")
    assert reproduce("fetch", root, quiet).ran
    assert copies(root) == [1, 1, 1]

    out = root / "build/scenes/recipes.csv.bin"
    assert not out.stat().st_mode & 0o222
    if os.geteuid():  # whom no mode stops
        with pytest.raises(PermissionError):
            out.write_bytes(b"in place")
    with atomic_path(out) as temporary:  # as everything here is written
        temporary.write_bytes(b"another")
    command = [sys.executable, "-m", "dvc", "checkout", "--force", "--quiet"]
    checkout = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert checkout.returncode == 0 and out.read_bytes() == b"recipes.csv" * 1000, checkout.stderr
