"""Training on a GPU: a captured graph against plain steps. ``make gpu`` runs this where there is little but PyTorch
and pytest.
"""

import pytest
import torch

from sftdec.training import loop
from sftdec.training.engine import WARM_UP
from sftdec.training.objective import Objective
from sftdec.training.run import train_sft_dec
from sftdec.training.schedule import STAGES
from tests.training.small import Killed, engine_of, kill_at, make_build, params, spoil_a_step, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture
def build(tmp_path):
    return make_build(tmp_path)


def settings(engine, common=None, **changes):
    return params(common={"device": "cuda", "engine": engine, **(common or {})}, **changes)


def losses(build, engine, folder, common=None, **changes):
    return [row["loss"] for row in train(build, "s1", settings(engine, common, **changes), folder)[1]]


@pytest.mark.parametrize("common", [{}, {"noise": 0.1}, {"batch_size": 4, "accumulate": 2}, {"exact": False}])
def test_a_graph_has_the_losses_of_plain_steps(build, monkeypatch, common):
    """Cut on the device, or fed by the loader where noise is asked for."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    plain = losses(build, "plain", "a", common, steps=30)
    assert losses(build, "graph", "b", common, steps=30) == pytest.approx(plain, rel=1e-4)


def test_sums_on_the_device_are_the_means_of_single_steps(build, monkeypatch):
    together = losses(build, "graph", "a", steps=loop.LOG_EVERY, validate_every=100, checkpoint_every=100)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    single = losses(build, "graph", "b", steps=25, validate_every=100, checkpoint_every=100)
    assert together == pytest.approx([sum(single) / len(single)], rel=1e-6)


def test_steps_are_captured_by_default_and_launched_alone_from_then_on(build, monkeypatch):
    replays, replay = [], torch.cuda.CUDAGraph.replay

    def counted(graph):
        replays.append(graph)
        return replay(graph)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", counted)
    train(build, "s1", settings("auto", steps=12))
    assert len(replays) == 12 - WARM_UP and len(set(map(id, replays))) == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_all_stages_train(build, precision):
    found = settings("auto", {"precision": precision}, steps=50)
    assert all(train(build, stage, found)[1][-1]["loss"] < 1 for stage in ("s1", "s2", "s3", "end_to_end"))


def test_a_training_that_is_cut_off_goes_on_as_if_it_had_not_been(build, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    whole = losses(build, "graph", "whole", steps=20)
    with pytest.raises(Killed):
        train_sft_dec(STAGES["s1"], settings("graph", steps=20), build, build / "cut", kill_at(10))
    assert losses(build, "graph", "cut", steps=20) == pytest.approx(whole, rel=1e-4)


def test_a_step_that_gives_no_number_is_skipped_inside_the_graph(build):
    engine, stream = engine_of(build, settings("graph"))
    for _ in range(WARM_UP + 2):
        engine.take(next(stream), 1e-3)
    spoil_a_step(engine, stream)


def test_patches_too_large_for_the_card_are_fed_by_the_loader(build, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    with pytest.warns(UserWarning, match="don't fit cuda"):
        losses(build, "auto", "a")


def test_float16_learns_where_there_is_no_bf16(build, monkeypatch):
    monkeypatch.setattr("sftdec.training.state.training_dtype", lambda device, precision: torch.float16)
    curve = train(build, "s1", settings("graph", {"precision": "bf16"}, steps=60))[1]
    assert curve[-1]["loss"] < 1 and curve[-1].get("skipped", 0) < 30


def test_a_step_that_waits_for_the_device_can_not_be_captured_and_is_taken_plainly(build, monkeypatch):
    """The last one here: a capture that failed may leave traces in the process."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    plain, restore = losses(build, "plain", "a", steps=10), Objective.restore

    def waits(self, model, truth):
        assert truth.blurred.mean().item() > 0
        return restore(self, model, truth)

    monkeypatch.setattr(Objective, "restore", waits)
    with pytest.warns(UserWarning, match="engine: a step can't be captured on cuda"):
        assert losses(build, "auto", "b", steps=10) == pytest.approx(plain, rel=1e-4)
