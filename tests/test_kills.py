"""A few of the kills that benchmarks/survival.py does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.services
@pytest.mark.slow
def test_a_pipeline_that_was_killed_anywhere_ends_with_an_undisturbed_ones_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "benchmarks/survival.py", "kills", "--kills", "4", "--minutes", "3"]
    command += ["--stages", "patches", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "no fault" in done.stdout, done.stdout + done.stderr
