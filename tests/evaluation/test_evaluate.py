import json

import numpy as np
import pandas as pd
import pytest
import torch

from sftdec.evaluation.evaluate import (
    COLUMNS,
    LOCAL_MEASURES,
    evaluate_network,
    summarise,
    training_window,
    write_metrics,
    write_per_image,
)
from sftdec.evaluation.metrics import best_constant_mae, best_constant_mse, map_errors, psnr, ssim, to_uint8
from sftdec.inference.deblur import deblur_array
from sftdec.networks import build_network
from sftdec.params.network import NetworkConfig
from tests.evaluation.scenes import make_per_image, make_scene


def small_network(sigma_max=4.0):
    config = NetworkConfig(
        sigma_max=sigma_max,
        features=8,
        blocks=1,
        dme_features=4,
        dme_blocks=1,
        dme_dilations=(1,),
        condition_features=4,
        sft_features=4,
        reduction=2,
    )
    return build_network(config, seed=3).eval()


def test_a_row_holds_what_the_metrics_say_of_the_networks_own_pictures():
    scene, network = make_scene(), small_network()
    row = evaluate_network(network, [scene]).iloc[0]
    restored, estimate = deblur_array(network, scene.blurred, "cpu")
    assert (row["dataset"], row["scene"], row["height"], row["width"]) == ("sample", "sample/a_0", 48, 64)
    assert row["psnr"] == round(psnr(to_uint8(restored), scene.sharp), 6)
    assert row["psnr_blurred"] == round(psnr(scene.blurred, scene.sharp), 6)
    assert row["ssim"] == round(ssim(to_uint8(restored), scene.sharp), 6)
    assert row["ssim_blurred"] == round(ssim(scene.blurred, scene.sharp), 6)
    assert (row["mae"], row["mse"]) == pytest.approx(map_errors(estimate, scene.defocus), abs=1e-6)


def test_a_map_is_brought_to_the_scenes_unit_before_it_is_compared():
    scene = make_scene(sigma_max=4.0)
    network = small_network(sigma_max=2.0)
    _, estimate = deblur_array(network, scene.blurred, "cpu")
    row = evaluate_network(network, [scene]).iloc[0]
    assert row["mae"] == pytest.approx(map_errors(estimate / 2, scene.defocus)[0], abs=1e-6)


def pooled_network(modulation="sft_dec"):
    """One whose channel part is far from the same everywhere."""
    network = build_network(NetworkConfig.of_size("small", features=8, blocks=1, modulation=modulation), seed=3).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.05)
    return network


def test_figures_with_local_pooling_stand_beside_those_of_the_network_as_it_is():
    scene, network = make_scene(), pooled_network()
    plain = evaluate_network(network, [scene])
    both = evaluate_network(network, [scene], local_pooling=20)
    pd.testing.assert_frame_equal(both[COLUMNS], plain)
    assert list(both.columns) == COLUMNS + LOCAL_MEASURES and network.pooling_window is None
    network.set_local_pooling(20)
    local = evaluate_network(network, [scene]).iloc[0]
    assert local["psnr"] == both["psnr_local_pooling"][0] != plain["psnr"][0]
    assert local["ssim"] == both["ssim_local_pooling"][0] != plain["ssim"][0]
    assert evaluate_network(network, [scene], local_pooling=1000)["psnr_local_pooling"][0] == plain["psnr"][0]
    assert network.pooling_window == 20


def test_the_window_is_the_training_crop_where_it_is_known_and_there_is_a_channel_part():
    network, without = pooled_network(), pooled_network("sft")
    assert training_window(network) is None
    network.training_crop = without.training_crop = 88
    assert training_window(network) == 88 and training_window(without) is None
    with pytest.raises(ValueError, match="'sft', which has no channel part"):
        evaluate_network(without, [make_scene()], local_pooling=88)


def test_local_poolings_figures_are_summarised_where_the_table_has_them():
    table = make_per_image([1.0, 2.0])
    assert "psnr_local_pooling" not in summarise(table)["sample"]
    table[["psnr_local_pooling", "ssim_local_pooling"]] = [[26.0, 0.8], [27.0, 0.9]]
    found = summarise(table)["sample"]
    assert found["psnr_local_pooling"] == 26.5 and found["ssim_local_pooling"] == pytest.approx(0.85)
    table.loc[1, "psnr_local_pooling"] = np.nan
    with pytest.raises(ValueError, match="psnr_local_pooling of sample/picture_1"):
        summarise(table)


def test_each_data_set_has_its_own_constant():
    scenes = [make_scene("a/0", dataset="a"), make_scene("b/0", dataset="b"), make_scene("a/1", dataset="a", seed=1)]
    scenes[2].defocus[:] = 0.9
    table = evaluate_network(small_network(), iter(scenes))
    expected = best_constant_mae([scenes[0].defocus, scenes[2].defocus])[1]
    assert table["scene"].tolist() == ["a/0", "b/0", "a/1"]
    assert table["mae_constant"].tolist() == pytest.approx(
        [expected[0], best_constant_mae([scenes[1].defocus])[1][0], expected[1]], abs=1e-6
    )
    squared = best_constant_mse([scenes[0].defocus, scenes[2].defocus])[1]
    assert table["mse_constant"].tolist() == pytest.approx(
        [squared[0], best_constant_mse([scenes[1].defocus])[1][0], squared[1]], abs=1e-6
    )
    assert table["mae_constant_own"].tolist()[2] == pytest.approx(0, abs=1e-6)
    assert (table["mae_constant_own"] <= table["mae_constant"]).all()


def test_the_caller_is_shown_each_scene_as_it_was_measured():
    scenes, seen = [make_scene("s/0"), make_scene("s/1", seed=1)], []
    table = evaluate_network(small_network(), scenes, on_scene=lambda *shown: seen.append(shown))
    assert [scene.name for scene, _, _ in seen] == ["s/0", "s/1"]
    scene, deblurred, estimate = seen[1]
    assert (deblurred.dtype, estimate.dtype, estimate.shape) == (np.uint8, np.float32, (48, 64))
    assert table["psnr"][1] == round(psnr(deblurred, scene.sharp), 6)


def test_no_scenes_are_an_error():
    with pytest.raises(ValueError, match="no scenes"):
        evaluate_network(small_network(), [])


def test_a_pair_of_equal_pictures_is_an_error_that_names_the_scene():
    scene = make_scene("s/equal")
    scene.blurred[:] = scene.sharp
    with pytest.raises(ValueError, match=r"s/equal.*bit by bit"):
        evaluate_network(small_network(), [scene])


def test_a_network_that_has_diverged_is_an_error_that_names_the_scene():
    network = small_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"sample/a_0: .*NaN"):
        evaluate_network(network, [make_scene()])


def test_means_of_a_four_row_table_by_hand():
    table = pd.concat([make_per_image([1.0, -0.5, 0.1]), make_per_image([2.0], dataset="other", blurred=20.0)])
    metrics = summarise(table)
    assert metrics["sample"] == {
        "psnr": 25.2,
        "psnr_blurred": 25.0,
        "ssim": 0.8,
        "ssim_blurred": 0.7,
        "mae": 0.1,
        "mse": 0.02,
        "mae_constant": 0.2,
        "mse_constant": 0.05,
        "mae_constant_own": 0.15,
        "improved": 0.666667,
        "images": 3,
    }
    assert (metrics["other"]["psnr"], metrics["other"]["improved"], metrics["other"]["images"]) == (22.0, 1.0, 1)


def test_an_unchanged_picture_is_not_an_improved_one():
    assert summarise(make_per_image([0.0]))["sample"]["improved"] == 0


def test_a_summary_needs_rows_columns_and_finite_numbers():
    with pytest.raises(ValueError, match="no rows"):
        summarise(make_per_image([]))
    with pytest.raises(ValueError, match="lacks psnr"):
        summarise(make_per_image([1.0]).drop(columns="psnr"))
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="sample: psnr of sample/picture_1"):
            summarise(make_per_image([1.0, value]))


def test_metrics_are_written_as_strict_json_with_the_same_bytes_each_time(tmp_path):
    metrics = summarise(make_per_image([1.0, 0.3]))
    for name in ("a.json", "b.json"):
        write_metrics(tmp_path / "new" / name, metrics)
    assert json.loads((tmp_path / "new/a.json").read_text()) == metrics
    assert (tmp_path / "new/a.json").read_bytes() == (tmp_path / "new/b.json").read_bytes()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({}, "no data set"),
        ({"ded": {"images": 0}}, "data set ded has no pictures"),
        ({"ded": {"images": 1, "psnr": float("inf")}}, r"ded\.psnr is inf"),
    ],
)
def test_metrics_that_say_nothing_are_not_written(tmp_path, metrics, message):
    with pytest.raises(ValueError, match=message):
        write_metrics(tmp_path / "metrics.json", metrics)
    assert not list(tmp_path.iterdir())


def test_the_per_image_table_comes_back_as_it_was_with_the_same_bytes_each_time(tmp_path):
    table = make_per_image([1.0, 0.3])
    for name in ("a.parquet", "b.parquet"):
        write_per_image(tmp_path / name, table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), table)
    assert list(table.columns) == COLUMNS
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_empty_per_image_table_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="no rows"):
        write_per_image(tmp_path / "a.parquet", make_per_image([]))
