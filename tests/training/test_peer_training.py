"""Peers under the same training as SFT-Dec, by their own losses and recipes."""

import numpy as np
import pytest
import torch

from sftdec.experiments import training as comparison_training
from sftdec.experiments.comparison import BUDGETS, Trained, load_comparison
from sftdec.experiments.teaching import objectives
from sftdec.experiments.training import fresh_network, train_models
from sftdec.networks import SFTDec, WeightsError, load_weights
from sftdec.peers import PEERS, build_peer, load_network, save_peer
from sftdec.training.distributed import Group
from sftdec.training.engine import captures
from sftdec.training.run import train_on_build
from tests.training.small import Killed, kill_at, make_build, params

COMPARISON = """
seed: 0
network_size: small
minutes: 0.02
steps: 6
schedule: short
models:
  did_anet: {did_anet_map: {share: 0.5, seconds: 0.2, learning_rate: 0.001},
             did_anet: {share: 0.5, seconds: 0.2, learning_rate: 0.001}}
  dpdnet: {dpdnet: {seconds: 0.2, learning_rate: 0.001}}
  ifan: {ifan: {seconds: 0.2, learning_rate: 0.001}}
  nafnet32: {nafnet32: {seconds: 0.2, learning_rate: 0.001}}
  sft_dec: {s1: {share: 0.3, seconds: 0.2}, s2: {share: 0.4, seconds: 0.2}, s3: {share: 0.3, seconds: 0.2}}
report: {split: test}
"""


@pytest.mark.parametrize("model", ["ifan", "did_anet"])
def test_a_peer_learns_in_float16_where_there_is_no_bf16(comparison, tmp_path, monkeypatch, model):
    for module in ("state", "peer_objective"):
        monkeypatch.setattr(f"sftdec.training.{module}.training_dtype", lambda device, precision: torch.float16)
    objective = next(objectives(comparison, params(), Trained(model, BUDGETS[0])))
    build = make_build(tmp_path / "build")
    _, curve, _ = train_on_build(
        fresh_network(model, comparison, params(network=WIDE)), objective, build, tmp_path / "c", None
    )
    assert np.isfinite(curve[-1]["loss"])


@pytest.mark.parametrize("detached", [True, False])
def test_a_peers_training_is_the_same_whatever_sft_decs_map_is_to_learn_from(comparison, detached):
    values = params(detach_map=detached)
    assert all(each.params.detach_map for each in objectives(comparison, values, Trained("did_anet", BUDGETS[0])))


@pytest.fixture
def comparison(tmp_path):
    (tmp_path / "comparison.yaml").write_text(COMPARISON)
    return load_comparison(tmp_path / "comparison.yaml")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_build(tmp_path_factory.mktemp("build"))


WIDE = {"reduction": 1}  # a channel part of two hidden features may have both at 0 for all photos


def trained(model, comparison, build, common=None):
    each = Trained(model, "equal_steps")
    train_models([each], comparison, params(common=common, network=WIDE), build, build / "checkpoints")
    return each


@pytest.mark.parametrize("model", ["did_anet", "ifan", "sft_dec"])
def test_a_training_of_several_parts_leaves_weights_that_load_and_a_curve_over_all_steps(model, comparison, data):
    each = trained(model, comparison, data)
    network = load_network(each.weights(data / "comparison"))
    assert isinstance(network, SFTDec) == (model == "sft_dec") and network.training_crop == 16
    curve = np.genfromtxt(each.curve(data / "comparison"), delimiter=",", names=True)
    assert curve["step"][-1] == comparison.steps
    start = fresh_network(model, comparison, params(network=WIDE))
    moved = [not torch.equal(now, before) for now, before in zip(network.parameters(), start.parameters(), strict=True)]
    assert all(moved)
    kept = list((data / "checkpoints").glob("*/step-*.pt"))
    assert kept and all((checkpoint.parent / "done").is_file() for checkpoint in kept)


def test_equal_trainings_give_equal_bytes_also_through_a_kill(comparison, data, tmp_path):
    for name in ("scenes", "patches"):
        (tmp_path / name).symlink_to(data / name)
    whole = trained("dpdnet", comparison, data).weights(data / "comparison").read_bytes()  # it drops features out
    (objective,) = objectives(comparison, settings := params(), Trained("dpdnet", "equal_steps"))
    with pytest.raises(Killed):
        network = fresh_network("dpdnet", comparison, settings)
        train_on_build(network, objective, tmp_path, tmp_path / "checkpoints", None, report=kill_at(4))
    assert list((tmp_path / "checkpoints").glob("dpdnet-*/step-*.pt"))
    assert trained("dpdnet", comparison, tmp_path).weights(tmp_path / "comparison").read_bytes() == whole


def test_a_budget_that_is_done_isnt_trained_again_when_the_next_one_was_stopped(comparison, data, monkeypatch):
    both = [Trained("nafnet32", budget) for budget in BUDGETS]
    trained_steps, stopped = [], []

    def stop_once(network, objective, build, kept, started_from, report):
        if both[1].budget in objective.stage.name and not stopped:
            raise stopped.append(1) or Killed

        def reported(step, metrics):
            trained_steps.append(step)
            report(step, metrics)

        return train_on_build(network, objective, build, kept, started_from, reported)

    monkeypatch.setattr(comparison_training, "train_on_build", stop_once)
    given = (comparison, params(), data, data / "checkpoints")
    with pytest.raises(Killed):
        train_models(both, *given)
    first = both[0].weights(data / "comparison").read_bytes()
    both[0].weights(data / "comparison").unlink()  # as DVC does with a stage's outs
    assert trained_steps and list((data / "checkpoints").glob("nafnet32-*"))
    trained_steps.clear()
    train_models(both[:1], *given)
    assert not trained_steps and both[0].weights(data / "comparison").read_bytes() == first
    train_models(both, *given)
    assert len(list((data / "checkpoints").glob("nafnet32-*/done"))) == 2


def test_bf16_reaches_layers_that_serve_the_loss_alone(comparison, data):
    each = trained("ifan", comparison, data, common={"precision": "bf16"})
    start, now = fresh_network("ifan", comparison, params()), load_network(each.weights(data / "comparison"))
    pairs = list(zip(start.reblurring.parameters(), now.reblurring.parameters(), strict=True))
    assert pairs and all(found.isfinite().all() and not torch.equal(found, before) for before, found in pairs)


@pytest.mark.parametrize("name", PEERS)
def test_weights_of_a_peer_say_whose_they_are_and_come_back_alike(name, tmp_path):
    network, path = build_peer(name, "small", seed=3, sigma_max=4.0).eval(), tmp_path / "weights.safetensors"
    network.training_crop = 40
    save_peer(network, "small", path)
    again = load_network(path)
    assert type(again) is type(network) and again.training_crop == 40 and again.config == network.config
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again(picture).deblurred, network(picture).deblurred)
    with pytest.raises(WeightsError, match=rf"weights of {name}, expected SFT-Dec's; sftdec evaluate takes"):
        load_weights(path)


def test_who_asks_for_a_graph_is_told_that_a_peers_steps_are_plain(comparison):
    settings = params(common={"engine": "graph"})
    (objective,) = objectives(comparison, settings, Trained("dpdnet", "equal_steps"))
    with pytest.warns(UserWarning, match="train.common.engine: dpdnet.* can't be captured as a graph"):
        assert not captures(objective, Group(torch.device("cuda")))
