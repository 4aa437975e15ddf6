"""The engine on a CPU: its feed, its step without waiting, and what can't run here."""

import dataclasses

import numpy as np
import pytest
import torch

from sftdec.patches import DeviceCrops
from sftdec.training.distributed import Group
from sftdec.training.engine import WARM_UP, EngineError, Feed, captures, loading_workers
from sftdec.training.objective import Objective
from sftdec.training.run import train_sft_dec
from sftdec.training.schedule import STAGES
from tests.training.small import engine_of, params, spoil_a_step, train

CUDA = Group(torch.device("cuda"))


def captures_of(common, group):
    return captures(Objective(STAGES["s1"], params().train.s1, common), group)


def test_a_graph_on_a_cpu_is_refused_before_anything_is_written(build):
    with pytest.raises(EngineError, match=r"train\.common\.engine: found graph on cpu: .*; expected auto, plain or"):
        train_sft_dec(STAGES["s1"], params(common={"engine": "graph"}), build, build / "c")
    assert not (build / "c").exists()


def test_a_graph_of_two_processes_is_refused(build):
    common = params(common={"engine": "graph"}).train.common
    with pytest.raises(EngineError, match="found graph with 2 processes"):
        captures_of(common, Group(torch.device("cuda"), size=2))


def test_auto_captures_on_one_gpu_alone():
    common = params(common={"engine": "auto"}).train.common
    assert captures_of(common, CUDA) and not captures_of(common, Group.alone("cpu"))
    assert not captures_of(common, Group(torch.device("cuda"), size=2))
    assert not captures_of(common.model_copy(update={"engine": "plain"}), CUDA)


def capturing(build):
    """An engine that has warmed up and will capture its next step, on a CPU, where none can be."""
    engine, stream = engine_of(build, params())
    for _ in range(WARM_UP):
        engine.take(next(stream), 1e-3)
    engine.captures, engine._warmed_up = True, WARM_UP
    return engine, stream


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_capture_that_fails_is_told_once_and_steps_go_on_plainly(build, monkeypatch, dtype):
    monkeypatch.setattr("sftdec.training.state.training_dtype", lambda device, precision: dtype)
    (engine, stream), (plain, same) = capturing(build), engine_of(build, params())
    if engine.state.scaler is not None:  # where a capture fails behind the gradient, the scaler is in a step already
        engine.state.scaler.scale(torch.ones(()))
        engine.state.scaler.unscale_(engine.state.optimizer)
    with pytest.warns(
        UserWarning, match=r"engine: a step can't be captured on cpu \(.*CUDA.*\); steps are plain"
    ) as told:
        for _ in range(3):
            engine.take(next(stream), 1e-3)
    for _ in range(WARM_UP + 3):
        plain.take(next(same), 1e-3)
    assert len(told) == 1 and engine.state.read() == plain.state.read() and not engine.state.skipped
    assert all(map(torch.equal, engine.state.average.parameters(), plain.state.average.parameters()))


def test_a_capture_that_fails_where_a_graph_is_asked_for_is_an_error(build):
    engine, stream = capturing(build)
    asked = engine.objective.common.model_copy(update={"engine": "graph"})
    engine.objective = dataclasses.replace(engine.objective, common=asked)
    with pytest.raises(EngineError, match=r"engine: found graph, but a step can't be captured .*; set auto or plain"):
        engine.take(next(stream), 1e-3)


def test_a_step_that_gives_no_number_is_skipped_where_it_is_computed(build):
    engine, stream = engine_of(build, params())
    for _ in range(3):
        engine.take(next(stream), 1e-3)
    spoil_a_step(engine, stream)


def test_steps_read_together_give_the_sums_and_weights_of_steps_read_one_by_one(build):
    (one, stream), (together, same) = (engine_of(build, params()) for _ in range(2))
    for _ in range(7):
        one.take(next(stream), 1e-3)
        one.state.read()
        together.take(next(same), 1e-3)
    together.state.read()
    assert together.state.sums == one.state.sums and together.state.sums["steps"] == 7
    assert all(map(torch.equal, together.state.average.parameters(), one.state.average.parameters()))


def test_crops_cut_on_the_device_train_as_the_same_crops_from_outside(build):
    (cutting, _), (given, _) = (engine_of(build, params()) for _ in range(2))
    feed = cutting.feed
    feed.crops = DeviceCrops(feed.dataset, feed.common.flips, torch.device("cpu"))
    for inputs in feed.inputs(0, 5):
        assert inputs.keys() == {"places"}
        cutting.take(inputs, 1e-3)
        given.take({part: each.contiguous() for part, each in feed.batch(inputs).items()}, 1e-3)
        assert cutting.state.read() == given.state.read()


def test_float16_learns_with_a_scaled_loss_and_skips_as_ever(build, monkeypatch):
    """As on a GPU that has no bf16."""
    plain = train(build, "s1", params(steps=25), "a")[1]
    monkeypatch.setattr("sftdec.training.state.training_dtype", lambda device, precision: torch.float16)
    curve = train(build, "s1", params(steps=25), "b")[1]
    assert curve[-1]["loss"] == pytest.approx(plain[-1]["loss"], rel=0.02) and curve[-1]["loss"] != plain[-1]["loss"]
    engine, stream = engine_of(build, params())
    for _ in range(3):
        engine.take(next(stream), 1e-3)
    scale = engine.state.scaler.get_scale()
    spoil_a_step(engine, stream)
    assert engine.state.scaler.get_scale() == scale / 2


def test_float16_finds_its_scale_over_returns(build, monkeypatch):
    """More halvings than steps may be bad in a row: what a return were to forget would be met again."""
    monkeypatch.setattr("sftdec.training.state.training_dtype", lambda device, precision: torch.float16)
    true_losses = Objective.losses

    def steep(self, *given):
        found = true_losses(self, *given)
        return found._replace(total=found.total * 2.0**12)

    monkeypatch.setattr(Objective, "losses", steep)
    curve = train(build, "s1", params(steps=25, common={"bad_steps": 5, "returns": 2}), "c")[1]
    assert curve[-1]["step"] == 25 and 5 < curve[-1]["skipped"] <= 15


def feed_of(build, monkeypatch, free, **common):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    dataset = engine_of(build, params())[0].feed.dataset
    monkeypatch.setattr("sftdec.training.engine.DeviceCrops", lambda *given: "on the card")
    return Feed(dataset, Objective(STAGES["s1"], params().train.s1, params(common=common).train.common), CUDA, 0)


def test_patches_lie_on_the_card_where_they_fit_and_the_loader_feeds_where_they_do_not(build, monkeypatch):
    assert feed_of(build, monkeypatch, 10**6).crops == "on the card"
    with pytest.warns(UserWarning, match=r"patches: .* GB of patches don't fit cuda, which has .* the loader feeds"):
        assert feed_of(build, monkeypatch, 10**4).crops is None


@pytest.mark.parametrize("wanted", [{"noise": 0.1}, {"brightness": 0.1}, {"channel_shuffle": True}])
def test_what_the_card_can_not_do_is_left_to_the_loader(build, monkeypatch, wanted):
    assert feed_of(build, monkeypatch, 10**6, **wanted).crops is None


def test_a_cpu_whose_cores_are_taken_loads_in_the_training_itself(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(16), raising=False)
    common = params().train.common

    def found(threads, group):
        return loading_workers("auto", common.model_copy(update={"threads": threads}), group)

    cpu = Group.alone("cpu")
    assert (found(16, cpu), found(12, cpu)) == (0, 4)
    assert (found(1, CUDA), found(1, Group(torch.device("cuda"), size=8))) == (8, 1)
    assert loading_workers(3, common, cpu) == 3


def test_a_rate_of_each_step_is_in_the_curve_exactly(build):
    engine, stream = engine_of(build, params())
    rates = np.linspace(1e-4, 1e-3, 4)
    for rate in rates:
        engine.take(next(stream), float(rate))
    engine.state.read()
    assert engine.state.means()["learning_rate"] == sum(rates.tolist()) / 4
