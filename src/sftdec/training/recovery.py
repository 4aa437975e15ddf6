"""What happens when a loss is no number, and when the memory doesn't suffice."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from sftdec.patches import CropDataset
from sftdec.runtime import atomic_path, is_out_of_memory

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


def memory_advice(share: int, crop: int, parts: int, found: tuple[int, int] | None) -> str:
    """What to change when a process found no memory for its ``share`` of a batch, computed in ``parts``.

    ``found``: how many crops at once, and of how many px, do fit.
    """
    tried = f"out of memory with {share // parts} crops of {crop} px at once (train.common.accumulate={parts})"
    if found is None:
        return f"{tried}, and not even one crop of {LEAST_CROP} px fits: free memory, or take a smaller network.preset"
    fits, side = found
    if side < crop:
        return f"{tried}; what fits: one crop of {side} px: set train.common.crop: {side} and accumulate: {share}"
    more = next(number for number in range(1, share + 1) if share % number == 0 and share // number <= fits)
    return (
        f"{tried}; what fits: {fits} crops of {crop} px: set train.common.batch_size: {fits * parts}, or, for the same "
        f"training, train.common.accumulate: {more}; train.common.checkpoint_activations: true saves memory too"
    )


def probe(step: Callable[[int, int], Any]) -> Callable[[int, int], bool]:
    """Whether a step (of batch size and crop) finds memory."""

    def fits(batch_size: int, crop: int) -> bool:
        try:
            step(batch_size, crop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return True

    return fits
