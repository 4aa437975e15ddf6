"""Augmented crops and batches, in an order that depends on the seed and the position alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from sftdec.params import largest_extent
from sftdec.patches.store import PatchStore
from sftdec.runtime import DataError

if TYPE_CHECKING:
    from sftdec.params import AugmentationParams

_WINDOWS = 2  # a fourth word of the seed: windows of a scene are drawn from another source than order and places
Batch = dict[str, torch.Tensor]


class CropDataset(Dataset[Batch]):
    """Augmented crops by *position* in the endless sequence of training: the same position gives the same crop,
    whoever asks and whenever, so that training resumes exactly and workers can't repeat each other.

    An epoch shows each patch once, or, ``by_scene``, each scene once: one of its patches, another one in each epoch
    until all have been shown. The first keeps to what was selected into the store, the second to the photos whatever
    the store's windows, as the paper counts.

    Raises:
        DataError: the crop, turned as far as it may be, doesn't fit into the store's patches.
    """

    def __init__(
        self, store: PatchStore, augmentation: "AugmentationParams", seed: int, by_scene: bool = False
    ) -> None:
        from sftdec.patches.transforms import Augmentation  # which takes seconds

        crop, rotation = augmentation.crop, augmentation.rotation
        self.store, self.crop, self.seed = store, crop, seed
        self._augmentation = Augmentation(augmentation)
        self._shown_as_one = store.by_scene() if by_scene else list(np.arange(len(store)).reshape(-1, 1))
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        needed = largest_extent(crop, rotation)
        if needed > store.size:
            raise DataError(
                f"train.common.crop={crop} turned by up to {rotation:g} degrees needs patches of {needed} px, but "
                f"{store.root} has {store.size} px: raise patches.patch_size, or lower the crop or the rotation"
            )

    @property
    def epoch(self) -> int:
        """Positions of an epoch: patches, or scenes."""
        return len(self._shown_as_one)

    def patch_at(self, position: int) -> int:
        """The number of the patch that a position shows."""
        epoch, place = divmod(position, self.epoch)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self.seed, epoch]).permutation(self.epoch))
        chosen = int(self._order[1][place])
        patches = self._shown_as_one[chosen]
        cycle, turn = divmod(epoch, len(patches))
        if len(patches) == 1:
            return int(patches[0])
        return int(np.random.default_rng([self.seed, cycle, chosen, _WINDOWS]).permutation(patches)[turn])

    def __getitem__(self, position: int) -> Batch:
        return {part: pictures[0] for part, pictures in self.__getitems__([position]).items()}

    def __getitems__(self, positions: list[int]) -> Batch:
        """The batch of these positions, each crop written straight into its place."""
        shape = (len(positions), 3, self.crop, self.crop)
        pair = [np.empty(shape, np.uint8), np.empty(shape, np.uint8)]
        defocus = np.empty((len(positions), 1, self.crop, self.crop), np.float32)
        for row, position in enumerate(positions):
            triple = self.store[self.patch_at(position)]
            seed = np.random.SeedSequence([self.seed, position])
            *levels, depth = self._augmentation(seed, triple[0], triple[1], triple[2][..., None])
            for pictures, picture in zip(pair, levels, strict=True):
                pictures[row] = picture.transpose(2, 0, 1)
            np.divide(depth[..., 0], np.float32(65535), out=defocus[row, 0])
        arrays = {"blurred": pair[0], "sharp": pair[1], "defocus": defocus}
        return {part: torch.from_numpy(pictures) for part, pictures in arrays.items()}


def _as_it_is(batch: Any) -> Any:
    return batch


def positions(first_step: int, last_step: int, batch_size: int, rank: int, world_size: int) -> Iterator[list[int]]:
    """Of each step from ``first_step`` to ``last_step`` the positions that fall to process ``rank``, in order."""
    part = batch_size // world_size
    for step in range(first_step, last_step):
        first = step * batch_size + rank * part
        yield list(range(first, first + part))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers that start inside have one OpenCV thread each: there is a worker for each core already.

    It is set before they are forked. A fork of a process whose OpenCV threads are running inherits locks that nobody
    will ever open, and setting it there waits for ever.
    """
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _start_worker(number: int) -> None:
    """The same for a worker that was started afresh and inherits nothing."""
    import cv2

    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)


def batches(
    dataset: CropDataset,
    first_step: int,
    last_step: int,
    batch_size: int,
    workers: int = 0,
    pin_memory: bool = False,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Batch]:
    """Batches (blurred, sharp N×3×S×S uint8; defocus N×1×S×S, 0..1) of steps ``first_step`` to ``last_step``.

    ``batch_size`` is that of all processes together. Process ``rank`` of ``world_size`` gets its share of each step's
    batch, in order: N processes see together what one alone would, and none sees what another does.

    Raises:
        DataError: a batch that can't be shared equally.
    """
    if batch_size % world_size:
        raise DataError(
            f"train.common.batch_size={batch_size} can't be shared equally by {world_size} processes: "
            f"take a multiple of {world_size}, or each step's mean would weigh patches differently"
        )
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=positions(first_step, last_step, batch_size, rank, world_size),
        num_workers=workers,
        collate_fn=_as_it_is,  # the data set gives whole batches
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        # a fork's workers end with a training that is killed; those of the server that Python 3.14 takes do not
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
    )
    with _one_thread() if workers else nullcontext():
        return iter(loader)
