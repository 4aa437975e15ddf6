"""Training by several processes (PyTorch's DDP), which torchrun starts and ends: each has its share of every batch.

One process alone is the same code with a group of one. Ranks are torchrun's; rank 0 writes, the others only compute.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sftdec.runtime import choose_device

SILENCE = timedelta(seconds=45)  # after which a process that waits for another gives up
START = timedelta(minutes=30)  # the same before the first step is done: stores are hashed, and networks compiled
Value = TypeVar("Value")


class ProcessesError(ValueError):
    """More processes than this machine can run; the message says how many it can."""


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees it."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @classmethod
    def alone(cls, device: str) -> "Group":
        """A process that trains by itself."""
        return cls(choose_device(device))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def settle(self) -> None:
        """From here on, with the first step done, each process answers within ``SILENCE``."""
        if self.size > 1:
            dist.distributed_c10d._set_pg_timeout(SILENCE)

    def wrap(self, network: nn.Module, unused: bool) -> nn.Module:
        """The network whose gradients are the mean over all processes; ``unused``: some weights get none."""
        if self.size == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices, find_unused_parameters=unused)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, the same bits in each."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def share(self, items: Sequence[Value]) -> Sequence[Value]:
        """The part of a list that falls to this process; ``gathered`` puts what was made of them together again."""
        return items[self.rank :: self.size]

    def gathered(self, items: Sequence[Value], total: int) -> list[Value]:
        """What all processes made of their shares of ``total`` items, in the order of the whole list."""
        if self.size == 1:
            return list(items)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, list(items))
        return [parts[number % self.size][number // self.size] for number in range(total)]

    def from_first(self, value: Value) -> Value:
        """Rank 0's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def under_torchrun(environment: Mapping[str, str]) -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in environment


def start_processes(processes: int, device: str, module: str, arguments: Sequence[str]) -> NoReturn:
    """Become torchrun with ``processes`` processes ``python -m module arguments`` on this machine.

    When one of them ends badly torchrun ends the others, and itself with an error.

    Raises:
        ProcessesError: the machine has fewer cores, or fewer GPUs where ``device`` is one.
    """
    if choose_device(device).type == "cuda":
        there, what = torch.cuda.device_count(), "CUDA devices"
    else:
        there, what = cores(), "cores"
    if processes > there:
        raise ProcessesError(
            f"train.processes: found {processes}, but this machine has {there} {what}: expected at most {there} "
            "(for several machines start the stage with torchrun yourself: docs/training.md)"
        )
    loopback = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    torchrun = ["-m", "torch.distributed.run", *loopback, f"--nproc-per-node={processes}", "-m", module, *arguments]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what torchrun would set with a warning; train.common.threads counts
    os.execv(sys.executable, [sys.executable, *torchrun])


@contextmanager
def joined(device: str, environment: Mapping[str, str]) -> Iterator[Group]:
    """The group that this process belongs to: torchrun's, or itself alone.

    A process that hears nothing from the others for ``SILENCE`` (``START``, before ``Group.settle``) gives up with an
    error.
    """
    if not under_torchrun(environment):
        yield Group.alone(device)
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(environment["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=START)
    try:
        yield Group(chosen, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
