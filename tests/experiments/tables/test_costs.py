import numpy as np
import pytest

from sftdec.experiments.tables import costs
from sftdec.experiments.tables.costs import counted, measure_costs, measured_methods, measured_picture, own_peak
from sftdec.inference.deblur import deblur_array
from sftdec.networks import build_network
from sftdec.params.network import NetworkConfig
from sftdec.peers import build_peer

SHAPE = (64, 96)


def build(model):
    if model == "sft_dec":
        return build_network(NetworkConfig.of_size("small", features=4, blocks=1))
    return build_peer(model, "small")


def test_parameters_and_operations_are_counted_and_nothing_is_computed():
    parameters, gmacs = counted("dme_net", build)
    assert parameters == build("dme_net").parameter_count() / 1e6
    assert gmacs == pytest.approx(20 * 1e6 / 2**20, rel=0.05)  # docs/peers.md says 20 of 1024×1024 px


def test_all_take_their_turn_in_each_round_on_one_picture(monkeypatch):
    turns = []
    runs = {name: lambda picture, name=name: turns.append((name, picture.shape)) for name in ("a", "b")}
    costs.seconds_side_by_side(runs, np.zeros((32, 48, 3), np.uint8), 2)
    whole = [name for name, shape in turns if shape == (32, 48, 3)]
    assert whole == ["a", "b", "a", "b"]


def test_each_method_has_its_costs_a_megapixel():
    table = measure_costs(["dme_net", "sft_dec"], build, lambda method: 3 * 2**20, rounds=1, shape=SHAPE)
    assert table["method"].tolist() == measured_methods(["dme_net", "sft_dec"])
    assert set(table["method"]) >= {"zhuo_sim", "oracle+deconvolution", "dme_net+deconvolution"}
    assert "oracle" not in set(table["method"])  # the true map costs nothing
    assert table["memory"].to_numpy() == pytest.approx(3 / (64 * 96 / 1e6)) and (table["seconds"] > 0).all()
    table = table.set_index("method")
    assert table["parameters"]["dme_net+deconvolution"] == table["parameters"]["dme_net"]
    assert np.isnan(table["parameters"]["karaali_jung"])
    assert table["seconds"]["dme_net+deconvolution"] > table["seconds"]["dme_net"]


def test_the_picture_is_sharp_at_the_left_and_blurred_at_the_right():
    grey = measured_picture(400, 608).astype(float).mean(axis=2)
    steps = np.abs(np.diff(grey, axis=0)).mean(axis=0)
    assert grey.shape == (400, 608) and steps[:60].mean() > 1.5 * steps[-60:].mean()


def test_a_methods_memory_is_what_the_process_grows_by():
    assert own_peak("sft_dec", build, measured_picture(*SHAPE)) >= 0


def test_a_fresh_networks_map_is_made_and_the_known_one_deconvolved_with(monkeypatch):
    ran, given = [], []
    monkeypatch.setattr(costs, "deblur_array", lambda *both: ran.append(both) or deblur_array(*both))
    monkeypatch.setattr(costs, "deconvolve", lambda picture, sigma: given.append(sigma))
    costs.run_of("sft_dec+deconvolution", build)(measured_picture(*SHAPE))
    assert len(ran) == 1 and np.array_equal(given[0], costs.ramp(*SHAPE) * np.float32(costs.SIGMA))
