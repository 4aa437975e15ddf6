import json

import numpy as np
import pytest

from sftdec.classical import deconvolve, zhuo_sim_map
from sftdec.cli import main
from sftdec.commands.evaluate import CLASSICAL
from sftdec.datasets.scene import write_index, write_scene
from sftdec.evaluation.classical import MAP_SOURCES, Deconvolution, evaluate_deconvolution, map_of_network
from sftdec.evaluation.evaluate import COLUMNS
from sftdec.evaluation.metrics import map_errors, psnr, to_uint8
from sftdec.inference.deblur import deblur_array
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from tests.evaluation.scenes import make_scene


def small_network():
    config = NetworkConfig.of_size("small", features=4, blocks=1, sigma_max=2.0)
    return build_network(config, seed=3).eval()


def test_a_methods_row_holds_what_its_map_and_the_deconvolution_give():
    scene = make_scene()
    table = evaluate_deconvolution(MAP_SOURCES["zhuo_sim"], [scene], "gaussian")
    row, sigma = table.iloc[0], zhuo_sim_map(scene.blurred)
    assert list(table.columns) == COLUMNS
    assert row["psnr"] == round(psnr(to_uint8(deconvolve(scene.blurred, sigma, "gaussian")), scene.sharp), 6)
    expected = map_errors(np.clip(sigma / np.float32(scene.sigma_max), 0, 1), scene.defocus)
    assert (row["mae"], row["mse"]) == pytest.approx(expected, abs=1e-6)


def test_the_oracle_has_each_scenes_own_map():
    scenes = [make_scene("a/0"), make_scene("a/1", height=40, sigma_max=2.0, seed=1)]
    assert evaluate_deconvolution(MAP_SOURCES["oracle"], scenes)["mae"].tolist() == [0, 0]


def test_a_networks_map_can_be_deconvolved_with():
    scene, network = make_scene(sigma_max=4.0), small_network()
    row = evaluate_deconvolution(map_of_network(network), [scene]).iloc[0]
    _, estimate = deblur_array(network, scene.blurred)
    assert row["mae"] == pytest.approx(map_errors(estimate / 2, scene.defocus)[0], abs=1e-6)
    assert row["psnr"] == round(psnr(to_uint8(deconvolve(scene.blurred, estimate * 2)), scene.sharp), 6)


def test_without_a_scene_there_is_nothing_to_deconvolve():
    with pytest.raises(RuntimeError, match="follow"):
        _ = Deconvolution(MAP_SOURCES["oracle"], "disc").config


def test_the_command_evaluates_classical_methods_and_deconvolution_with_a_networks_map(tmp_path, capsys):
    assert set(CLASSICAL) == set(MAP_SOURCES)
    write_index(tmp_path, [write_scene(tmp_path, make_scene())])
    weights = tmp_path / "weights.safetensors"
    save_weights(small_network(), weights)
    common = ["evaluate", "--scenes", str(tmp_path), "--dataset", "sample", "--model"]
    found = {}
    for model in (["karaali_jung"], ["zhuo_sim"], ["oracle"], [str(weights)], [str(weights), "--deconvolve"]):
        assert main([*common, *model]) == 0
        found[model[0] + "".join(model[1:])] = json.loads(capsys.readouterr().out)["sample"]
    assert found["oracle"]["mae"] == 0 < found["karaali_jung"]["mae"] != found["zhuo_sim"]["mae"]
    network, deconvolved = found[str(weights)], found[f"{weights}--deconvolve"]
    assert network["mae"] == deconvolved["mae"] and network["psnr"] != deconvolved["psnr"]
    assert main([*common, "oracle", "--local-pooling", "32"]) == 2
    assert "--local-pooling is for networks" in capsys.readouterr().err
