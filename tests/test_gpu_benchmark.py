"""benchmarks/gpu.py, which has minutes on a borrowed machine: nothing there may stop it, and nothing found be lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WITHOUT = """
import sys

NAMES = {"mlflow", "prefect", "dvc", "dask", "distributed", "psutil", "requests", "matplotlib", "h5py"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def gpu(folder, *options):
    """Run it on the CPU, where what its machine needn't have can't be imported; its JSON, and how it ended."""
    (folder / "sitecustomize.py").write_text(WITHOUT)
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--out", str(folder / "out"), *options],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads((folder / "out/gpu.json").read_text()), done


@pytest.mark.services
def test_sections_find_their_figures_without_what_a_gpus_machine_lacks(tmp_path):
    found, done = gpu(tmp_path, "--only", "machine", "rates", "tests", "deblur", "--seconds", "120")
    assert done.returncode == 0, done.stdout + done.stderr + json.dumps(found, indent=1)
    sections = {name: section["found"] for name, section in found["sections"].items()}
    assert sections["machine"]["torch"] and sections["rates"]["bf16_tflops"] > 0
    assert len(sections["deblur"]) >= 3 and all(each["s"] > 0 for each in sections["deblur"].values())
    assert "skipped" in sections["tests"]["summary"][-1] and sections["tests"]["code"] == 0
    assert "| `shipped`, fp32 |" in done.stdout


def test_a_section_that_is_cut_off_is_recorded_and_the_next_goes_on(tmp_path):
    found, done = gpu(tmp_path, "--only", "machine", "two", "--seconds", "4")
    assert done.returncode != 0 and "a section isn't ok" in done.stderr
    statuses = {name: section["status"] for name, section in found["sections"].items()}
    assert statuses.keys() == {"machine", "two"} and statuses["two"] == "stopped at its limit"
    assert sum(section["seconds"] for section in found["sections"].values()) < 18
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running


def test_the_tables_are_made_of_what_there_is(tmp_path):
    step = {"crops_s": 4000.0, "share": 0.123, "gb": 3.5}
    everything = {
        "sections": {
            "machine": {"status": "ok", "found": {"device": "H200", "torch": "2.11", "python": "3.12"}},
            "rates": {"status": "ok", "found": {"bf16_tflops": 764.0, "copy_gb_s": 4300.0}},
            "steps": {
                "status": "ok",
                "found": {"`small`": {"plain bf16": {"ms": 29.5, **step}, "graph bf16": {"ms": 3.0, **step}}},
            },
            "compiled": {"status": "ok", "found": {"`small`": {"compiled bf16": {"failed": "no compiler"}}}},
            "deblur": {"status": "ok", "found": {"`paper`, fp32": {"failed": "OutOfMemoryError: …"}}},
            "training": {
                "status": "ok",
                "found": {
                    "data": {"s": 20.0},
                    "bf16": {"s": 18.2, "gain": 0.77, "mae": 0.05, "constant": 0.104},
                },
            },
        }
    }
    (tmp_path / "gpu.json").write_text(json.dumps(everything))
    command = [sys.executable, "benchmarks/gpu.py", "--table", str(tmp_path / "gpu.json")]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "| `small` | – | 29.5 | – | – | 3.0 | 12.3% | 4,000 | 3.5 |" in said
    assert "| bf16 | 18.2 | 0.770 | 0.0500 | 0.1040 |" in said and "H200, torch 2.11, Python 3.12" in said
