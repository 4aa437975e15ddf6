"""Two processes that share every batch do what one does alone; one that dies ends both, and the next start goes on."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist
import yaml

from sftdec.params import ParamsError
from sftdec.training.distributed import (
    SILENCE,
    START,
    Group,
    ProcessesError,
    joined,
    start_processes,
    under_torchrun,
)
from tests.training.small import ROOT, make_build, params, values

TORCHRUN = ["-m", "torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
TORCHRUN += ["--local-addr=127.0.0.1", "--nproc-per-node=2"]


def environment():
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "SFTDEC_TRACKING": "off", "OMP_NUM_THREADS": "1"}


def run(*arguments, cwd=None):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(), cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.services
def test_two_processes_with_half_the_batch_each_follow_one_with_all_of_it(tmp_path):
    build, sources = make_build(tmp_path / "build"), []
    long = {"steps": 50, "warm_up": 5, "validate_every": 25, "checkpoint_every": 100}
    restoring = {"loss": {"lambda_1": 0.0, "lambda_2": 0.9, "lambda_3": 0.1}}  # the map network gets no gradient
    for name, changes in {"all": {}, "restoring": restoring}.items():
        sources.append(tmp_path / f"{name}.yaml")
        sources[-1].write_text(yaml.safe_dump(values(common={"batch_size": 4}, **long, **changes)))
    script = Path(__file__).with_name("every_step.py")
    run(script, build, tmp_path / "one", *sources)
    run(*TORCHRUN, script, build, tmp_path / "two", *sources)
    for name in ("all", "restoring"):
        one, first, second = (
            json.loads((tmp_path / file).read_text())
            for file in (f"one/{name}-0.json", f"two/{name}-0.json", f"two/{name}-1.json")
        )
        assert len(one) == 50 and second == []  # only the first one reports
        assert one == pytest.approx(first, abs=1e-5) and max(one) > min(one) + 1e-3
    kept = list((tmp_path / "two" / "checkpoints").rglob("step-*.pt"))
    assert len(kept) == 4  # of each the start, and the end


def stage_in(folder, **changes):
    """A folder in which the stage's own script can run."""
    make_build(folder / "build")
    settings = values(common={"batch_size": 4}, processes=2, **changes)
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    return folder


STAGE = ["-m", "pipelines.stages.train", "--stage", "s1"]


@pytest.mark.services
def test_a_killed_process_ends_the_job_with_an_error_and_the_next_start_goes_on_to_the_same_bytes(tmp_path):
    long = {"steps": 300, "warm_up": 5, "validate_every": 1000, "checkpoint_every": 5}
    whole, cut = (stage_in(tmp_path / name, **long) for name in ("whole", "cut"))
    run(*STAGE, cwd=whole)

    job = subprocess.Popen(
        [sys.executable, *STAGE], env=environment(), cwd=cut, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    patience = time.monotonic() + 120
    while len(list((cut / ".checkpoints").rglob("step-*[5-9].pt"))) < 1:
        assert job.poll() is None and time.monotonic() < patience, "no checkpoint was written"
        time.sleep(0.01)
    workers = [child for child in psutil.Process(job.pid).children() if "pipelines.stages.train" in child.cmdline()]
    assert len(workers) == 2
    workers[1].kill()
    _, error = job.communicate(timeout=60)  # a job that hangs is a failure
    assert job.returncode != 0 and "SIGKILL" in error
    assert not any(worker.is_running() for worker in workers)
    assert not (cut / "build/models/s1.safetensors").exists()

    run(*STAGE, cwd=cut)
    assert (cut / "build/models/s1.safetensors").read_bytes() == (whole / "build/models/s1.safetensors").read_bytes()
    assert (cut / "build/curves/s1.csv").read_bytes() == (whole / "build/curves/s1.csv").read_bytes()


def test_more_processes_than_cores_are_refused_with_the_number_there_are():
    with pytest.raises(ProcessesError, match=r"train\.processes: found 5000, .* cores: expected at most"):
        start_processes(5000, "cpu", "pipelines.stages.train", [])


def test_processes_that_can_not_share_a_batch_equally_are_refused():
    with pytest.raises(ParamsError, match="processes: found 3"):
        params(common={"batch_size": 4}, processes=3)


def test_a_process_alone_is_a_group_of_one():
    group = Group.alone("cpu")
    assert group.first and group.share([1, 2, 3]) == [1, 2, 3] and group.gathered([1, 2, 3], 3) == [1, 2, 3]
    assert group.mean(torch.tensor(2.0)) == 2.0 and group.from_first("a") == "a"
    assert group.wrap(torch.nn.Identity(), unused=False).__class__ is torch.nn.Identity
    assert not under_torchrun({"RANK": "0"})


def test_processes_wait_long_for_the_first_step_and_then_no_longer_than_for_one_that_died(monkeypatch):
    place = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)

    def patience():
        return dist.distributed_c10d._get_default_group()._get_backend(torch.device("cpu")).options._timeout

    with joined("cpu", {"TORCHELASTIC_RUN_ID": "one"}) as group:
        assert patience() == START
        replace(group, size=2).settle()
        assert patience() == SILENCE < START
