"""How steps are fed and launched: one kernel after another, compiled, or captured once as a CUDA graph and replayed.

On a GPU the patches lie in its memory and crops are cut there, if nothing else is asked for and there is room; else
each batch comes from the loader. The losses are the same to rounding, whichever engine takes the steps.
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import torch

from sftdec.patches import Batch, CropDataset, DeviceCrops, batches, cuts_on_device
from sftdec.training.distributed import Group, cores
from sftdec.training.objective import Objective
from sftdec.training.state import TrainingState
from sftdec.training.step import take_step

if TYPE_CHECKING:
    from sftdec.params import CommonParams

WARM_UP = 3  # steps before a graph is captured: they make the optimizer's state and choose the kernels
_BYTES = 8  # of a patch in memory, a pixel
_MOST = 0.5  # of a GPU's free memory for the patches: the network wants the rest
_WORKERS = 8  # at most, that load for one process


class EngineError(ValueError):
    """An engine that can't run here; the message says what to take instead."""


def captures(objective: Objective, group: Group) -> bool:
    """Whether steps are captured as a graph.

    Raises:
        EngineError: a graph is asked for where there can be none.
    """
    wanted = objective.common.engine
    reason = None
    if group.device.type != "cuda":
        reason = f"on {group.device}: a graph needs a CUDA device"
    elif group.size > 1:
        reason = f"with {group.size} processes: a graph holds the steps of one"
    if wanted == "graph" and reason:
        raise EngineError(f"train.common.engine: found graph {reason}; expected auto, plain or compiled; set auto")
    if wanted == "graph" and not objective.can_be_captured:
        name = objective.stage.name
        warnings.warn(f"train.common.engine: {name} can't be captured as a graph; its steps are plain", stacklevel=2)
    return wanted in ("graph", "auto") and reason is None and objective.can_be_captured


def loading_workers(wanted: int | Literal["auto"], common: "CommonParams", group: Group) -> int:
    """How many processes load for this one; ``auto``: on a CPU as many as there are cores that no thread is to have."""
    if wanted != "auto":
        return wanted
    taken = 1 if group.device.type == "cuda" else common.threads
    return max(0, min(_WORKERS, cores() // group.size - taken))


class Feed:
    """The batches of a training, by step, on their way to this process's device."""

    def __init__(self, dataset: CropDataset, objective: Objective, group: Group, workers: int | Literal["auto"]):
        self.dataset, self.group, self.common = dataset, group, objective.common
        self.workers = loading_workers(workers, self.common, group)
        self.crops: DeviceCrops | None = None
        if group.device.type == "cuda" and cuts_on_device(self.common) and self._finds_room():
            self.crops = DeviceCrops(dataset, self.common.flips, group.device)

    def _finds_room(self) -> bool:
        store, free = self.dataset.store, torch.cuda.mem_get_info(self.group.device)[0]
        needed = len(store) * store.size**2 * _BYTES
        if needed <= _MOST * free:
            return True
        said = f"{needed / 1e9:.1f} GB of patches don't fit {self.group.device}, which has {free / 1e9:.1f} GB free"
        warnings.warn(f"{store.root}: {said} (half of it may be taken); the loader feeds each step", stacklevel=2)
        return False

    def inputs(self, first: int, last: int) -> Iterator[Batch]:
        """What each step from ``first`` to ``last`` is made of: a batch, or the places to cut it at."""
        size, (rank, world) = self.common.batch_size, (self.group.rank, self.group.size)
        if self.crops is not None:
            return ({"places": places} for places in self.crops.places(first, last, size, rank, world))
        return batches(self.dataset, first, last, size, self.workers, self.group.device.type == "cuda", rank, world)

    def batch(self, inputs: Batch) -> Batch:
        """The batch itself."""
        return inputs if self.crops is None else self.crops.cut(inputs["places"])


class Engine:
    """Takes the steps of a training, from its present state on; a state that was restored wants a new engine.

    Raises:
        EngineError: a graph is asked for, and a step can't be captured; under ``auto`` steps are plain then.
    """

    def __init__(self, state: TrainingState, objective: Objective, group: Group, feed: Feed) -> None:
        self.state, self.objective, self.group, self.feed = state, objective, group, feed
        self.captures, self._warmed_up = captures(objective, group), 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: Batch = {}
        if self.captures:
            self._stream = torch.cuda.Stream(group.device)  # type: ignore[no-untyped-call]
            self._rate = torch.zeros((), dtype=torch.float64, device=group.device)
            self._lr = torch.zeros((), device=group.device)  # float32, as a fused Adam reads it
            for each in state.optimizer.param_groups:
                each["lr"] = self._lr

    def take(self, inputs: Batch, rate: float) -> None:
        """Launch one step; what it gives is added to ``state.tally``."""
        self.objective.begin_step(self.state.step)
        if self.captures and self._graph is None and self._warmed_up == WARM_UP:
            self._capture()
        if not self.captures:
            return take_step(self.state, self.objective, self.group, self.feed.batch(inputs), rate)
        if not self._inputs:
            self._inputs = {part: torch.empty_like(each, device=self.group.device) for part, each in inputs.items()}
        for part, each in inputs.items():
            self._inputs[part].copy_(each, non_blocking=True)
        self._rate.fill_(rate)
        if self._graph is not None:
            return self._graph.replay()
        self._warmed_up += 1
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._step()
        torch.cuda.current_stream().wait_stream(self._stream)

    def _step(self) -> None:
        self._lr.copy_(self._rate)
        take_step(self.state, self.objective, self.group, self.feed.batch(self._inputs), self._rate)

    def _capture(self) -> None:
        """Capture a step, which takes none; threads that load may go on meanwhile."""
        optimizer = self.state.optimizer
        optimizer.zero_grad(set_to_none=True)
        try:
            _allow_capture(optimizer, True)
            graph = torch.cuda.CUDAGraph()
            aside = torch.cuda.stream(self._stream)  # a capture whose end fails leaves its stream the current one
            with aside, torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._step()
        except RuntimeError as error:
            self._go_on_plainly(error)
        else:
            self._graph = graph
        finally:
            _allow_capture(optimizer, False)  # or it warns of steps that are taken without one

    def _go_on_plainly(self, error: RuntimeError) -> None:
        """Take each step by itself from here on: nothing has been computed of the one that couldn't be captured."""
        said = str(error.__context__ or error).partition("\n")[0]  # what failed inside, not the end that it spoilt
        failed = f"a step can't be captured on {self.group.device} ({said})"
        if self.objective.common.engine == "graph":
            raise EngineError(f"train.common.engine: found graph, but {failed}; set auto or plain") from error
        warnings.warn(f"train.common.engine: {failed}; steps are plain from here on", stacklevel=2)
        self.captures = False
        self.state.renew_scaler()


def _allow_capture(optimizer: torch.optim.Optimizer, allowed: bool) -> None:
    for each in optimizer.param_groups:
        each["capturable"] = allowed
