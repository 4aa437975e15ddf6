from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sftdec.datasets import read_index
from sftdec.datasets.scene import write_index, write_scene
from sftdec.evaluation.evaluate import write_per_image
from sftdec.evaluation.metrics import map_errors, psnr
from sftdec.experiments.judging import measure_method
from sftdec.experiments.tables.judged import JUDGED_COLUMNS, judge_method, panel_scenes, read_judged
from sftdec.experiments.tables.methods import trained_model
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.peers import build_peer, save_peer
from sftdec.photos.images import read_defocus, read_photo
from sftdec.runtime import checksum
from tests.evaluation.scenes import make_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two scenes of one photo, one of another; the second is the most blurred."""
    root = tmp_path_factory.mktemp("scenes")
    made = [make_scene(f"sample/{name}", 32, 40, seed=seed) for seed, name in enumerate(("a_0", "a_1", "b_0"))]
    weaker = [replace(scene, photo=scene.name[:8]) for scene in made]
    weaker[0] = replace(weaker[0], defocus=weaker[0].defocus / 2)
    weaker[2] = replace(weaker[2], defocus=weaker[2].defocus / 3)
    write_index(root, [write_scene(root, scene) for scene in weaker])
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    root = tmp_path_factory.mktemp("weights")
    tiny = NetworkConfig.of_size("small", features=4, blocks=1, output_init=0.05, sigma_max=4.0)
    for seed, budget in enumerate(("equal_time", "equal_steps")):
        save_weights(build_network(tiny, seed), root / "sft_dec" / f"{budget}.safetensors")
    save_peer(build_peer("dme_net", "small", sigma_max=4.0), "small", root / "dme_net" / "equal_time.safetensors")
    return lambda model: {budget: root / model / f"{budget}.safetensors" for budget in ("equal_time", "equal_steps")}


def judge(method, weights, scenes, pictures):
    return judge_method(method, weights(trained_model(method)), [scenes], "test", pictures)


def test_both_budgets_are_judged_and_say_with_which_weights(scenes, weights, tmp_path):
    table = judge("sft_dec", weights, scenes, tmp_path)
    assert list(table.columns) == JUDGED_COLUMNS and len(table) == 6
    assert set(table["photo"]) == {"sample/a", "sample/b"} and set(table["model"]) == {"sft_dec"}
    for budget, rows in table.groupby("budget"):
        assert set(rows["weights"]) == {checksum(weights("sft_dec")[budget])}
    times = [rows["psnr"].to_numpy() for _, rows in table.groupby("budget")]
    assert not np.allclose(*times)


def test_the_pictures_that_are_kept_are_those_that_were_measured(scenes, weights, tmp_path):
    table = judge("sft_dec", weights, scenes, tmp_path)
    for row in table[table["budget"] == "equal_time"].to_dict("records"):
        sharp, truth = (scenes / part / f"{row['scene']}.png" for part in ("sharp", "defocus"))
        made = read_photo(tmp_path / "deblurred" / f"{row['scene']}.png")
        assert psnr(made, read_photo(sharp)) == pytest.approx(row["psnr"], abs=1e-6)
        estimate = read_defocus(tmp_path / "defocus" / f"{row['scene']}.png")
        assert map_errors(estimate, read_defocus(truth))[0] == pytest.approx(row["mae"], abs=2e-5)


def test_a_budget_without_weights_has_no_rows_and_a_model_without_any_is_named(scenes, weights, tmp_path):
    table = judge("dme_net", weights, scenes, tmp_path)
    assert set(table["budget"]) == {"equal_time"} and (table["psnr"] == table["psnr_blurred"]).all()
    with pytest.raises(ValueError, match="ifan: none of its weights is there"):
        judge("ifan", weights, scenes, tmp_path)


def test_scenes_of_a_second_folder_are_judged_too_and_not_shown(scenes, weights, tmp_path):
    more = make_scene("unseen/c_0", 24, 24, seed=9)
    write_index(tmp_path / "more", [write_scene(tmp_path / "more", replace(more, dataset="unseen", photo="unseen/c"))])
    table = judge_method("dme_net", weights("dme_net"), [scenes, tmp_path / "more"], "test", tmp_path / "shown")
    own = judge("dme_net", weights, scenes, tmp_path / "own")
    assert table["photo"].tolist() == [*own["photo"], "unseen/c"]
    pd.testing.assert_frame_equal(table[:3], own)
    assert len(list((tmp_path / "shown/deblurred").rglob("*.png"))) == 3


def test_deconvolution_takes_the_networks_map(scenes, weights, tmp_path):
    own = judge("dme_net", weights, scenes, tmp_path / "own")
    table = judge("dme_net+deconvolution", weights, scenes, tmp_path / "made")
    assert set(table["model"]) == {"dme_net+deconvolution"} and table["mae"].tolist() == own["mae"].tolist()
    assert (table["psnr"] != table["psnr_blurred"]).all()


def test_a_classical_method_learns_nothing(scenes, tmp_path):
    table = judge_method("oracle+deconvolution", {}, [scenes], "test", tmp_path)
    assert set(table["budget"]) == {"untrained"} and set(table["weights"]) == {""} and (table["mae"] < 1e-4).all()
    with pytest.raises(ValueError, match="found 'wiener', expected one of karaali_jung"):
        measure_method("wiener", [])


def test_the_scenes_that_are_shown_are_the_most_blurred_of_each_photo_before_any_second_one(scenes):
    index = read_index(scenes)
    assert panel_scenes(index, "test") == ["sample/a_1", "sample/b_0", "sample/a_0"]
    assert panel_scenes(index.iloc[::-1], "test", 2) == ["sample/a_1", "sample/b_0"]


def test_judged_tables_are_read_together_and_checked(scenes, tmp_path):
    table = judge_method("oracle+deconvolution", {}, [scenes], "test", tmp_path / "pictures")
    with pytest.raises(ValueError, match="found no judged method"):
        read_judged(tmp_path)
    write_per_image(tmp_path / "one.parquet", table)
    write_per_image(tmp_path / "two.parquet", table.assign(model="sft_dec", budget="equal_time"))
    assert pd.Series(read_judged(tmp_path)["model"]).nunique() == 2
    write_per_image(tmp_path / "two.parquet", table.assign(budget="equal_luck"))
    with pytest.raises(ValueError, match=r"two.parquet: budget: found equal_luck"):
        read_judged(tmp_path)
