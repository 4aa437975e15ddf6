"""A store in a GPU's memory, from which crops are cut there: what is sent for one is where it lies, four numbers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sftdec.params import AugmentationParams
from sftdec.patches.augment import Batch, CropDataset, positions

_CHUNK = 64  # steps whose places are drawn and sent together; patches that are unpacked together
_PLACES = 1  # a third word of the seed, so that places are drawn from another source than the order of patches


def cuts_on_device(augmentation: AugmentationParams) -> bool:
    """Whether nothing is asked for but places, flips and quarter turns; the rest is left to the loader."""
    light = augmentation.brightness or augmentation.noise or augmentation.channel_shuffle
    return augmentation.rotation == 0 and not light


class DeviceCrops:
    """The crops of a data set by position, cut on ``device``: its patches in its order.

    Where a crop lies and how it is flipped depends on seed and position alone, as there, but the draws are others than
    albumentations': a training on a GPU sees other crops than one on a CPU.
    """

    def __init__(self, dataset: CropDataset, flips: bool, device: torch.device) -> None:
        self.dataset, self.flips, self.device = dataset, flips, device
        self.size, self.crop = dataset.store.size, dataset.crop
        self._drawn: tuple[int, NDArray[np.int64]] = (-1, np.empty((0, 3), np.int64))
        shape = (len(dataset.store), self.size, self.size)
        self._pair = [torch.empty((*shape, 3), dtype=torch.uint8, device=device) for _ in range(2)]
        self._depth = torch.empty(shape, dtype=torch.int16, device=device)  # uint16's bits, which few operations know
        with ThreadPoolExecutor() as threads:  # a few patches at a time, which wait for nobody while they are unpacked
            for first in range(0, len(dataset.store), _CHUNK):
                numbers = range(first, min(first + _CHUNK, len(dataset.store)))
                unpacked = threads.map(dataset.store.__getitem__, numbers)
                for number, (*pair, depth) in zip(numbers, unpacked, strict=True):
                    for kept, levels in zip((*self._pair, self._depth), (*pair, depth.view(np.int16)), strict=True):
                        kept[number].copy_(torch.tensor(levels))

    def place_at(self, position: int) -> tuple[int, int, int, int]:
        """The patch that a position shows, the crop's first row and column in it, and its symmetry (0..7)."""
        epoch, place = divmod(position, len(self.dataset.store))
        if self._drawn[0] != epoch:
            most = [self.size - self.crop + 1] * 2 + [8 if self.flips else 1]
            draw = np.random.default_rng([self.dataset.seed, epoch, _PLACES])
            self._drawn = (epoch, draw.integers(0, most, (len(self.dataset.store), 3)))
        top, left, symmetry = self._drawn[1][place].tolist()
        return self.dataset.patch_at(position), top, left, symmetry

    def places(self, first_step: int, last_step: int, batch_size: int, rank: int, world: int) -> Iterator[Tensor]:
        """N×4 numbers (``place_at``) on the device for each step, of which process ``rank`` gets its share."""
        steps = positions(first_step, last_step, batch_size, rank, world)
        while chunk := list(islice(steps, _CHUNK)):
            yield from torch.tensor([[self.place_at(position) for position in step] for step in chunk]).to(self.device)

    def cut(self, places: Tensor) -> Batch:
        """The crops: blurred, sharp N×3×S×S uint8 and defocus N×1×S×S in 0..1, channels last.

        A symmetry's bits: mirrored rows, mirrored columns, rows and columns changing places.
        """
        patch, top, left, symmetry = (column[:, None, None] for column in places.unbind(1))
        down, across = torch.arange(self.crop, device=self.device)[None, :, None], self.crop - 1
        along = down.transpose(1, 2)
        turned = symmetry & 4 > 0
        row, column = torch.where(turned, along, down), torch.where(turned, down, along)
        row = top + torch.where(symmetry & 1 > 0, across - row, row)
        column = left + torch.where(symmetry & 2 > 0, across - column, column)
        pixels = (patch * self.size + row) * self.size + column  # N×S×S
        blurred, sharp = (kept.view(-1, 3)[pixels].permute(0, 3, 1, 2) for kept in self._pair)
        depth = self._depth.view(-1)[pixels].int() & 0xFFFF
        return {"blurred": blurred, "sharp": sharp, "defocus": (depth.float() / 65535)[:, None]}
