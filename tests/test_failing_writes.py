"""A few of the writes that benchmarks/survival.py makes fail: all of them take minutes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="what fails writes has to be compiled")
@pytest.mark.parametrize("case", ["promote", "register", "train", "checkout"])
def test_a_write_that_fails_is_an_error_and_leaves_what_was_before_or_after(
    case: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TMPDIR": str(tmp_path)}
    environment["DVC_NO_ANALYTICS"] = "true"  # of which `dvc init` leaves a file
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path_factory.mktemp("torch"))  # its cache, which it makes anyway
    command = [sys.executable, "benchmarks/survival.py", "writes", "--cases", case, "--most", "6"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "no fault" in done.stdout, done.stdout + done.stderr
    assert "an error, in a sentence" in done.stdout and not list(tmp_path.iterdir())
