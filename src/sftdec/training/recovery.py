"""What happens when a loss is no number, and when the memory doesn't suffice."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from sftdec.patches import CropDataset
from sftdec.runtime import atomic_path, is_out_of_memory
from sftdec.training.checkpoint import Checkpoints
from sftdec.training.distributed import Group
from sftdec.training.objective import Objective
from sftdec.training.state import TrainingState
from sftdec.training.step import losses_of
from sftdec.training.tally import Tally

IDENTITY = ("dataset", "scene", "top", "left", "row")
LEAST_CROP = 16  # px


class TrainingError(ValueError):
    """Training can't go on; the message says where, why and what to change."""


def save_batch(path: Path, dataset: CropDataset, positions: Sequence[int], values: dict[str, float]) -> None:
    """Write which patches a batch was made of, and what its step gave, as JSON."""
    rows = dataset.store.index.iloc[[dataset.patch_at(position) for position in positions]].reset_index(names="row")
    patches = json.loads(rows[list(IDENTITY)].to_json(orient="records"))
    content = {"step": {key: str(value) for key, value in values.items()}, "patches": patches}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def fitting(batch_size: int, crop: int, fits: Callable[[int, int], bool]) -> tuple[int, int] | None:
    """The largest batch (halving it), else with batch 1 the largest crop (halving it), for which ``fits`` is true.

    None if not even one patch of ``LEAST_CROP`` px fits.
    """
    while batch_size > 1:
        batch_size //= 2
        if fits(batch_size, crop):
            return batch_size, crop
    while (crop := crop // 2) >= LEAST_CROP:
        if fits(1, crop):
            return 1, crop
    return None


def memory_advice(share: int, crop: int, parts: int, found: tuple[int, int] | None, processes: int = 1) -> str:
    """What to change when a process found no memory for its ``share`` of a batch, computed in ``parts``.

    ``found``: how many crops at once, and of how many px, do fit; ``processes`` have a share each.
    """
    tried = f"out of memory with {share // parts} crops of {crop} px at once (train.common.accumulate={parts})"
    if found is None:
        return f"{tried}, and not even one crop of {LEAST_CROP} px fits: free memory, or take a smaller network.preset"
    fits, side = found
    if side < crop:
        return f"{tried}; what fits: one crop of {side} px: set train.common.crop: {side} and accumulate: {share}"
    more = next(number for number in range(1, share + 1) if share % number == 0 and share // number <= fits)
    return (
        f"{tried}; what fits: {fits} crops of {crop} px: set train.common.batch_size: {fits * parts * processes}, or, "
        f"for the same training, train.common.accumulate: {more}; train.common.checkpoint_activations: true saves "
        "memory too"
    )


def _finds_memory(state: TrainingState, objective: Objective, count: int, crop: int) -> bool:
    """Whether a gradient of ``count`` crops of ``crop`` px, in this process alone and then forgotten, finds memory."""
    pair = {key: torch.zeros(count, 3, crop, crop, dtype=torch.uint8) for key in ("blurred", "sharp")}
    batch = {**pair, "defocus": torch.zeros(count, 1, crop, crop)}
    try:
        losses_of(batch, state.network, state, objective).total.backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        state.network.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def step_or_advice(state: TrainingState, objective: Objective, group: Group, take: Callable[[], None]) -> None:
    """Take a step; where its memory isn't there, a ``TrainingError`` says what would fit."""
    try:
        return take()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    state.optimizer.zero_grad(set_to_none=True)  # here the failed step's tensors are gone
    common = objective.common
    share, parts = common.batch_size // group.size, common.accumulate
    found = fitting(share // parts, common.crop, partial(_finds_memory, state, objective))
    raise TrainingError(memory_advice(share, common.crop, parts, found, group.size))


def take_newest(state: TrainingState, checkpoints: Checkpoints, group: Group) -> bool:
    """Take over the newest checkpoint, which the first process reads for all; whether there is one."""
    saved = group.from_first(checkpoints.newest() if group.first else None)
    if saved is not None:
        state.restore(saved)
    return saved is not None


def go_back(
    state: TrainingState,
    objective: Objective,
    checkpoints: Checkpoints,
    group: Group,
    dataset: CropDataset,
    values: dict[str, float],
) -> None:
    """Take the last checkpoint again, with a smaller rate, or raise a ``TrainingError`` if that was done often enough.

    ``values``: what the step gave that was one too many.
    """
    common, name = objective.common, objective.stage.name
    at, returns, skipped, factor = state.step, state.returns + 1, state.skipped, state.rate_factor * common.return_rate
    if returns > common.returns:
        first = at * common.batch_size
        path = checkpoints.folder / "bad_batch.json"
        if group.first:
            save_batch(path, dataset, range(first, first + common.batch_size), values)
        raise TrainingError(
            f"stage {name}, step {at}: {common.bad_steps} losses in a row were no finite number, also after going "
            f"back {common.returns} times with a smaller learning rate; the patches of the last batch stand in "
            f"{path}: look at them, {objective.calmer}"
        )
    scale = None if state.scaler is None else state.scaler.state_dict()
    take_newest(state, checkpoints, group)
    if state.scaler is not None and scale is not None:
        state.scaler.load_state_dict(scale)  # that it was still too large is what these steps have told
        state.renew_scaler()
    state.returns, state.rate_factor, state.skipped, state.bad_in_a_row = returns, factor, skipped, 0
    state.tally = Tally(state.device, state.averaged)
    tqdm.write(
        f"stage {name}, step {at}: {common.bad_steps} losses in a row were no finite number; back to step "
        f"{state.step} with {factor:g} times the learning rate"
    )
