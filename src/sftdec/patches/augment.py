"""Augmentation and batches: crops in an order that depends on the seed and the position alone."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from sftdec.patches.store import PatchStore

Batch = dict[str, torch.Tensor]


def build_augmentation(crop: int, rotation: float, flips: bool) -> Any:
    """The paper's augmentation (sec. 4.1.3): random crop (px), free rotation (up to so many degrees), flips and turns.

    The sharp picture and the map ride along as *images*, so that the map is moved with linear interpolation. A
    rotated patch is cut from within the rotated picture: no empty corner remains.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or its import asks the network for a newer version
    import albumentations

    steps: list[Any] = []
    if rotation > 0:
        room = int(np.ceil(crop * np.sqrt(2)))
        steps += [
            albumentations.RandomCrop(room, room, pad_if_needed=True),
            albumentations.Rotate((-rotation, rotation), interpolation=1, border_mode=2, p=1.0),
            albumentations.CenterCrop(crop, crop),
        ]
    else:
        steps.append(albumentations.RandomCrop(crop, crop))
    if flips:
        steps.append(albumentations.D4(p=1.0))
    return albumentations.Compose(steps, additional_targets={"sharp": "image", "defocus": "image"})


class CropDataset(Dataset[Batch]):
    """Augmented crops by *position* in the endless sequence of training: the same position gives the same crop,
    whoever asks and whenever, so that training resumes exactly and workers can't repeat each other.
    """

    def __init__(self, store: PatchStore, crop: int, seed: int, rotation: float = 0.0, flips: bool = True) -> None:
        self.store, self.seed = store, seed
        self._augmentation = build_augmentation(crop, rotation, flips)
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def _patch_at(self, position: int) -> int:
        epoch, place = divmod(position, len(self.store))
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.store)))
        return int(self._order[1][place])

    def __getitem__(self, position: int) -> Batch:
        blurred, sharp, defocus = self.store[self._patch_at(position)]
        self._augmentation.set_random_seed(int(np.random.SeedSequence([self.seed, position]).generate_state(1)[0]))
        moved = self._augmentation(image=blurred, sharp=sharp, defocus=(defocus / np.float32(65535))[..., None])
        return {
            "blurred": torch.from_numpy(np.ascontiguousarray(moved["image"].transpose(2, 0, 1))),
            "sharp": torch.from_numpy(np.ascontiguousarray(moved["sharp"].transpose(2, 0, 1))),
            "defocus": torch.from_numpy(np.ascontiguousarray(moved["defocus"].transpose(2, 0, 1))),
        }


class _PositionBatches(Sampler[list[int]]):
    """Positions from ``first_step`` to ``last_step``, a batch a step."""

    def __init__(self, first_step: int, last_step: int, batch_size: int) -> None:
        self.first_step, self.last_step, self.batch_size = first_step, last_step, batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.last_step):
            yield list(range(step * self.batch_size, (step + 1) * self.batch_size))

    def __len__(self) -> int:
        return self.last_step - self.first_step


def batches(
    dataset: CropDataset,
    first_step: int,
    last_step: int,
    batch_size: int,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Batches (blurred, sharp N×3×S×S uint8; defocus N×1×S×S, 0..1) of steps ``first_step`` to ``last_step``."""
    sampler = _PositionBatches(first_step, last_step, batch_size)
    yield from DataLoader(dataset, batch_sampler=sampler, num_workers=workers, pin_memory=pin_memory)
