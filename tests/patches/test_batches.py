"""The order of batches: every patch once an epoch, whatever the number of processes, and no growth with the store."""

import multiprocessing
import sys
from itertools import chain

import cv2
import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed
from torch.multiprocessing import spawn
from torch.nn.parallel import DistributedDataParallel

from sftdec.patches import PatchStore, write_store
from sftdec.patches.augment import CropDataset, batches, positions
from sftdec.patches.extract import Patch
from sftdec.runtime.errors import DataError
from tests.patches.crops import cut


def store(root, count, size=16, **options):
    """Patches that bear their number in every pixel."""
    patches = []
    for number in range(count):
        levels = np.full((size, size, 3), number % 256, np.uint8)
        grey = levels[..., 0].astype(np.float32)
        patches.append(Patch("s", "d", size * number, 0, levels, levels, np.zeros((size, size), np.uint16), 6.0, grey))
    write_store(root, patches, size)
    return PatchStore(root, **options)


def numbers(stream):
    return [batch["blurred"][:, 0, 0, 0].tolist() for batch in stream]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return CropDataset(store(tmp_path_factory.mktemp("store"), 23), cut(8), seed=9)


@settings(max_examples=60, deadline=None)
@given(share=st.integers(1, 5), world=st.integers(1, 4), first=st.integers(0, 9), steps=st.integers(1, 12))
def test_processes_together_see_what_one_alone_would_and_nothing_twice_in_an_epoch(dataset, share, world, first, steps):
    size = share * world
    alone = list(positions(first, first + steps, size, 0, 1))
    parts = [list(positions(first, first + steps, size, rank, world)) for rank in range(world)]
    assert [list(chain(*step)) for step in zip(*parts, strict=True)] == alone
    shown = list(chain(*alone))
    assert shown == list(range(first * size, (first + steps) * size))
    for epoch in range(shown[0] // 23, shown[-1] // 23 + 1):
        seen = [dataset.patch_at(position) for position in shown if position // 23 == epoch]
        assert len(seen) == len(set(seen))
        if len(seen) == 23:
            assert sorted(seen) == list(range(23))


def test_an_epoch_by_scenes_shows_each_once_and_all_of_its_windows_before_any_twice(tmp_path):
    windows = {"a": 3, "b": 1, "c": 4}
    levels = np.zeros((16, 16, 3), np.uint8)
    names = [name for name, count in windows.items() for _ in range(count)]
    names = [names[number] for number in np.random.default_rng(0).permutation(len(names))]  # in no order
    rest = (levels, levels, levels[..., 0].astype(np.uint16), 6.0, levels[..., 0].astype(np.float32))
    write_store(tmp_path, [Patch(name, "d", number, 0, *rest) for number, name in enumerate(names)], 16)
    dataset = CropDataset(PatchStore(tmp_path), cut(8), seed=5, by_scene=True)
    shown = [dataset.patch_at(position) for position in range(3 * 12)]
    epochs = [[names[patch] for patch in shown[first : first + 3]] for first in range(0, 36, 3)]
    assert dataset.epoch == 3 and all(sorted(epoch) == ["a", "b", "c"] for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 1  # in another order each time
    for name, count in windows.items():
        own = [patch for patch in shown if names[patch] == name]
        rounds = [own[first : first + count] for first in range(0, 12, count)]
        assert all(len(set(each)) == count for each in rounds)
        assert count < 3 or len(set(map(tuple, rounds))) > 1
    assert [dataset.patch_at(position) for position in (35, 0, 17)] == [shown[35], shown[0], shown[17]]


def test_two_processes_with_workers_see_the_epoch_of_one_without(dataset):
    alone = numbers(batches(dataset, 0, 8, 6))
    ranks = [numbers(batches(dataset, 0, 8, 6, workers=rank, rank=rank, world_size=2)) for rank in range(2)]
    assert [first + second for first, second in zip(*ranks, strict=True)] == alone
    epoch = list(chain(*alone))[:23]
    assert sorted(epoch) == list(range(23))


def train_an_epoch(rank, root, rendezvous, out):
    """One of two DDP processes: an epoch and a half in six steps, stopped after four and gone on with."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    dataset = CropDataset(PatchStore(root), cut(8), seed=9)
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    seen, weights = [], []
    for first, last in ((0, 4), (4, 6)):
        for batch in batches(dataset, first, last, 6, workers=rank, rank=rank, world_size=2):
            levels = batch["blurred"][:, 0, 0, :1].float()
            model(levels).mean().backward()  # waits for the other process, and averages with it
            seen.append(levels[:, 0].int().tolist())
            weights.append(model.module.weight.grad.item())
    parts = [None, None]
    distributed.all_gather_object(parts, (seen, weights))
    if rank == 0:
        torch.save(parts, out)
    distributed.destroy_process_group()


@pytest.mark.services
def test_two_processes_of_ddp_see_each_patch_once_an_epoch_and_step_as_one(tmp_path):
    dataset = CropDataset(store(tmp_path / "store", 23), cut(8), seed=9)
    rendezvous = f"file://{tmp_path / 'rendezvous'}"
    spawn(train_an_epoch, (tmp_path / "store", rendezvous, tmp_path / "seen.pt"), nprocs=2)
    (first, gradients), (second, others) = torch.load(tmp_path / "seen.pt", weights_only=True)
    together = [one + other for one, other in zip(first, second, strict=True)]
    assert together == numbers(batches(dataset, 0, 6, 6))
    order = list(chain(*together))
    assert sorted(order[:23]) == list(range(23)) and len(set(order[23:])) == len(order[23:]) == 13
    assert gradients == pytest.approx(others)
    assert gradients[0] == pytest.approx(np.mean(together[0]))


def test_a_share_that_cannot_be_is_refused(dataset):
    with pytest.raises(DataError, match="batch_size=6 can't be shared equally by 4"):
        batches(dataset, 0, 1, 6, world_size=4)


def test_workers_start_while_opencv_threads_run_and_leave_their_number_as_it_was(dataset):
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 4), np.uint8), (9, 9), 2)  # its threads are running now
    try:
        assert len(list(batches(dataset, 0, 3, 4, workers=2))) == 3
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems start their workers afresh")
def test_workers_are_forks_of_the_training_whatever_python_would_take_by_itself(dataset):
    before, known = multiprocessing.get_start_method(), set(psutil.Process().children(recursive=True))
    multiprocessing.set_start_method("forkserver", force=True)
    try:
        stream = batches(dataset, 0, 3, 4, workers=2)
        started = set(psutil.Process().children(recursive=True)) - known
        assert {each.ppid() for each in started} == {psutil.Process().pid} and len(started) == 2
        assert len(list(stream)) == 3
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_crops_are_the_callers_own_and_the_store_cannot_be_written_to(dataset):
    batch = dataset[0]
    batch["blurred"].fill_(7)
    batch["defocus"].fill_(0.5)
    assert dataset[0]["defocus"].max() == 0 and dataset[0]["blurred"].unique().tolist() == [dataset.patch_at(0)]
    with pytest.raises(ValueError, match="read-only"):
        dataset.store[0][0][:] = 0


def test_the_process_does_not_grow_with_the_store_and_views_stay_good(tmp_path):
    found = store(tmp_path, 400, size=128, resident=8 << 20)  # 52 MB
    early = found[3][0]
    process, largest = psutil.Process(), 0
    before = process.memory_info().rss
    for number in range(len(found)):
        assert found[number][0].sum(dtype=np.int64) == 128 * 128 * 3 * (number % 256)
        found[number][1].max(), found[number][2].max()
        largest = max(largest, process.memory_info().rss - before)
    assert (early == 3).all()
    assert largest < 24 << 20
    assert torch.from_numpy(found[399][0].copy()).unique().tolist() == [399 % 256]
