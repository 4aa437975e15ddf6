"""What training changes: the average that follows, and what a checkpoint brings back."""

import copy

import torch

from sftdec.networks import build_network
from sftdec.params import NetworkConfig
from sftdec.training.distributed import Group
from sftdec.training.objective import Objective
from sftdec.training.schedule import STAGES
from sftdec.training.state import begin
from sftdec.training.tally import VALUES
from tests.training.small import params

GOOD, BAD = torch.tensor(True), torch.tensor(False)
SETTINGS = params()
OBJECTIVE = Objective(STAGES["s1"], SETTINGS.train.s1, SETTINGS.train.common)


def begun():
    network = build_network(NetworkConfig.of_size("small", features=8, blocks=1))
    network.register_buffer("seen", torch.zeros(1))
    return begin(network, OBJECTIVE, Group.alone("cpu"))


def moved(state, to):
    """The state after a step that left every weight and buffer at one value, and the average followed."""
    with torch.no_grad():
        for tensor in (*state.network.parameters(), *state.network.buffers()):
            tensor.fill_(to)
    state.follow(0.5, GOOD)
    state.tally.add(torch.ones(len(VALUES), dtype=torch.float64), GOOD)
    return {float(weights.min()) for weights in state.average.parameters()}


def test_the_average_starts_with_the_first_step_and_its_decay_warms_up():
    state = begun()
    assert moved(state, 1.0) == {1.0}
    (second,) = moved(state, 12.0)
    assert abs(second - (1 + 11 * 9 / 11)) < 1e-5  # a decay of (1 + 1) / (10 + 1)
    for _ in range(20):
        moved(state, 12.0)
    (last,) = moved(state, 14.0)
    assert 12.9 < last < 13.01  # by now as asked
    assert float(state.average.seen) == 14.0 and not state.average.training


def test_a_checkpoint_brings_everything_back():
    state = begun()
    moved(state, 1.0)
    state.step, state.skipped, state.best_psnr = 7, 2, 20.0
    state.judge(21.0)
    state.read()
    kept = copy.deepcopy(state.to_dict())
    other = begun()
    other.restore(kept)
    found = other.to_dict()
    assert found.keys() == kept.keys() and not {"model", "tally"} & kept.keys() and kept["averaged"] == 1
    plain = [key for key in kept if isinstance(kept[key], int | float | list) or key == "sums"]
    assert {"step", "averaged", "skipped", "best_psnr", "sums"} <= set(plain)
    assert all(found[key] == kept[key] for key in plain)
    for part in ("network", "average", "best"):
        assert all(torch.equal(found[part][name], tensor) for name, tensor in kept[part].items())


def test_a_step_without_an_update_is_counted_and_averaged_with_nothing():
    state = begun()
    for loss, finite in ((1.0, GOOD), (float("nan"), BAD), (float("inf"), BAD), (3.0, GOOD)):
        state.tally.add(torch.full((len(VALUES),), loss, dtype=torch.float64), finite)
    assert state.read() == dict.fromkeys(VALUES, 3.0)
    assert (state.skipped, state.bad_in_a_row, state.averaged) == (2, 0, 2)
    assert state.means() == dict.fromkeys(VALUES, 2.0) and state.means() == {}


def test_bad_steps_in_a_row_are_counted_over_readings():
    state = begun()
    for bad_in_a_row in (1, 2):
        state.tally.add(torch.full((len(VALUES),), torch.nan, dtype=torch.float64), BAD)
        state.read()
        assert (state.skipped, state.bad_in_a_row) == (bad_in_a_row, bad_in_a_row) and state.sums == {}


def test_where_a_step_is_skipped_the_average_stays():
    state = begun()
    moved(state, 1.0)
    with torch.no_grad():
        state.network.seen.fill_(torch.nan)
    state.follow(0.5, BAD)
    assert {float(weights.min()) for weights in state.average.parameters()} == {1.0} == {float(state.average.seen)}


def test_a_checkpoint_made_on_other_devices_is_taken_over():
    state = begun()
    kept = state.to_dict()
    assert kept["random_cuda"] is None  # of a GPU, its own state alone
    begun().restore(kept | {"random_cuda": torch.zeros(16, dtype=torch.uint8), "scaler": {"scale": 2.0}})
