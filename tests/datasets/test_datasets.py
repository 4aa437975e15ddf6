"""Recipes, rendered scenes, folders of triplets, and what they refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from sftdec.datasets import Scene, load_scenes, read_index, write_index, write_scene
from sftdec.datasets.depth import disparity_depth, model_depth
from sftdec.datasets.photos import recipe_photo, wheel_disparity
from sftdec.datasets.recipes import _LEFT_OUT, read_recipes
from sftdec.datasets.sample import read
from sftdec.optics import from_light, to_8bit, to_light
from sftdec.photos.images import read_defocus, read_photo, write_picture
from sftdec.runtime.errors import DataError

RECIPES = Path(__file__).parents[2] / "data" / "sample" / "recipes.csv"
ROW = {
    "name": "leaf",
    "split": "train",
    "count": "2",
    "content": "leaves",
    "photo": "brick|grass",
    "scale": "1",
    "height": "48",
    "width": "40",
    "top": "0",
    "left": "0",
    "depth": "layers",
    "near_m": "1",
    "far_m": "8",
    "focus": "0..1",
    "focal_length_mm": "50",
    "pixel_pitch_um": "60",
    "max_coc_px": "2..6",
    "psf": "disc|gaussian",
    "blades": "6",
    "softness_px": "0..0.5",
    "shot_noise": "0.00001",
    "read_noise": "0.001",
    "seed": "7",
}


def table(tmp_path, *rows):
    path = tmp_path / "recipes.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def recipe(tmp_path, **changes):
    return read_recipes(table(tmp_path, {**ROW, "count": "1", **changes}))[0]


def scene(name="set/one", split="train", photo="one", size=(20, 24), **changes):
    generator = np.random.default_rng(len(name))
    pictures = {part: generator.integers(0, 256, (*size, 3), np.uint8) for part in ("blurred", "sharp")}
    defocus = generator.random(size).astype(np.float32)
    return Scene(
        **{"name": name, "dataset": "set", "split": split, "photo": photo, "sigma_max": 6.0}
        | pictures
        | {"defocus": defocus}
        | changes
    )


def test_the_test_recipes_are_twelve_scenes_of_photos_that_no_other_split_sees():
    recipes = read_recipes(RECIPES)
    test = [r for r in recipes if r.split == "test"]
    assert len(test) == 12 and {p for r in test for p in r.photos} == {"coffee", "china", "motorcycle"}
    others = {p for r in recipes if r.split != "test" for p in r.photos}
    assert not others & {"coffee", "china", "motorcycle"}
    assert {r.max_coc_px for r in test} >= {2.0, 8.0} and {r.psf for r in test} == {"disc", "gaussian"}
    assert max(r.max_coc_px for r in recipes if r.split == "train") > 11


def test_recipes_are_drawn_the_same_each_time_within_their_ranges(tmp_path):
    first, second = (read_recipes(table(tmp_path, ROW)) for _ in range(2))
    assert first == second and [r.name for r in first] == ["leaf_000", "leaf_001"]
    assert all(2 <= r.max_coc_px <= 6 and r.psf in ("disc", "gaussian") for r in first)
    assert first[0].max_coc_px != first[1].max_coc_px


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("photo", "brick|unicorn", "unicorn"),
        ("split", "holdout", "train, validation, test"),
        ("max_coc_px", "6..2", "empty"),
        ("max_coc_px", "-1", "0 or more"),
        ("scale", "half", "expected a number"),
        ("blades", "2", "3 or more"),
        ("count", "1.5", "whole number"),
        ("psf", "star", "disc, gaussian, polygon"),
        ("near_m", "20", "far_m"),
        ("focus", "1.5", "expected 0 to 1"),
        ("gamma", "-1", "0.5 to 4"),
        ("gamma", "0.001", "0.5 to 4"),
        ("gamma", "0..2", "begins at 0"),
    ],
)
def test_a_cell_that_makes_no_sense_names_file_row_and_column(tmp_path, column, cell, message):
    with pytest.raises(DataError, match=message) as caught:
        read_recipes(table(tmp_path, {**ROW, column: cell}))
    assert "recipes.csv row 1 (leaf)" in str(caught.value) and column in str(caught.value)


@pytest.mark.parametrize(("content", "photo"), [("photo", "grass"), ("leaves", "motorcycle")])
def test_a_recipe_with_a_disparity_that_nobody_measured_names_file_row_and_column(tmp_path, content, photo):
    row = {**ROW, "content": content, "photo": photo, "depth": "disparity"}
    with pytest.raises(DataError, match=rf"recipes\.csv row 1 \(leaf\), depth: found 'disparity' for '{photo}'"):
        read_recipes(table(tmp_path, row))


@pytest.mark.parametrize(
    ("content", "depth", "photo"), [("photo", "plane", "coffee"), ("leaves", "plane", "brick|coins")]
)
@pytest.mark.parametrize("gamma", [0.0, 1.0, 1.6])
def test_blur_forms_in_the_light_that_a_recipe_names(tmp_path, content, depth, photo, gamma):
    """Blurring the sharp picture's own light again gives the blurred one; in another light it doesn't."""
    still = {"softness_px": "0", "shot_noise": "0", "read_noise": "0", "psf": "gaussian", "max_coc_px": "6"}
    shape = {"content": content, "depth": depth, "photo": photo, "height": "96", "width": "96"}
    found = read(recipe(tmp_path, **still, **shape, gamma=str(gamma)), 6.0)

    def error(light):
        blurred = ndimage.gaussian_filter(to_light(found.sharp / 255, light), 3.0, mode="reflect", axes=(0, 1))
        return np.abs(to_8bit(from_light(blurred, light)).astype(int) - found.blurred).mean()

    assert error(gamma) < 0.5 and min(error(other) for other in {0.0, 1.0, 1.6} - {gamma}) > 2 * error(gamma) + 0.2


def test_a_table_without_a_cameras_columns_means_a_camera_without_faults(tmp_path):
    """What tables of before these columns draw and render stays to the byte."""
    spelled = {
        **{"gamma": "0", "leaves": "crowded", "highlight": "1", "rim": "0", "corner": "0", "fringe_px": "0"},
        **{"cut_map": "0", "exposure": "1", "tone": "0", "denoise": "0", "sharpen": "0", "sharpen_px": "1"},
        **{"jpeg": "0", "subsampling": "4:2:0", "answer": "clean"},
    }
    assert set(spelled) == set(_LEFT_OUT)
    without, given = (recipe(tmp_path, **more) for more in ({}, spelled))
    assert without == given
    plain, same = (read(each, 6.0) for each in (without, given))
    assert np.array_equal(plain.blurred, same.blurred) and np.array_equal(plain.sharp, same.sharp)


def test_a_column_more_changes_nothing_that_is_drawn_for_the_others(tmp_path):
    before, after = (recipe(tmp_path, **more) for more in ({}, {"jpeg": "0|50..95", "exposure": "0.8..1.2"}))
    assert replace(after, jpeg=0, exposure=1.0) == before and after.exposure != 1


def test_an_unknown_column_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(DataError, match=r"unknown: \['sharpness'\]; expected .*sharpen.*rename or delete"):
        recipe(tmp_path, sharpness="1")


def test_a_recipe_table_that_is_missing_or_lacks_a_column_says_so(tmp_path):
    with pytest.raises(DataError, match="no table of recipes"):
        read_recipes(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="expected CSV"):
        read_recipes(tmp_path / "empty.csv")
    short = {key: value for key, value in ROW.items() if key != "seed"}
    with pytest.raises(DataError, match="seed"):
        read_recipes(table(tmp_path, short))


def test_names_that_occur_twice_and_photos_in_two_splits_are_refused(tmp_path):
    with pytest.raises(DataError, match="twice: leaf"):
        read_recipes(table(tmp_path, {**ROW, "count": "1"}, {**ROW, "count": "1"}))
    with pytest.raises(DataError, match="one split"):
        read_recipes(table(tmp_path, ROW, {**ROW, "name": "other", "split": "test"}))


def test_a_table_names_the_photos_that_lie_beside_it(tmp_path):
    own = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    write_picture(tmp_path / "photos" / "meadow.png", own)
    made = read(recipe(tmp_path, content="photo", photo="meadow", depth="plane", width="48", softness_px="0"), 6.0)
    assert (made.photo, made.sharp.tolist()) == ("meadow", own.tolist())
    leaves = recipe(tmp_path, photo="meadow|brick")
    assert [Path(photo).name for photo in leaves.photos] == ["meadow.png", "brick"]
    assert read(leaves, 6.0).sharp.std() > 0


def test_an_own_photo_with_the_name_of_another_is_refused(tmp_path):
    write_picture(tmp_path / "photos" / "coffee.png", np.zeros((48, 48, 3), np.uint8))
    with pytest.raises(DataError, match=r"coffee.png: there is another photo named 'coffee'; rename this one"):
        recipe(tmp_path)


def test_dead_leaves_are_rendered_the_same_each_time_and_blur_where_the_map_says(tmp_path):
    first, second = (read(recipe(tmp_path, softness_px="0"), 6.0) for _ in range(2))
    assert np.array_equal(first.blurred, second.blurred) and first.sharp.shape == (48, 40, 3)
    difference = np.abs(first.blurred.astype(int) - first.sharp).mean(axis=2)
    assert difference[first.defocus > 0.15].mean() > difference[first.defocus < 0.03].mean()


def test_leaves_can_have_a_smooth_depth_but_photos_no_layers(tmp_path):
    found = read(recipe(tmp_path, depth="ramp", height="64", width="64", max_coc_px="6"), 6.0)
    assert len(np.unique(found.defocus)) > 5
    with pytest.raises(DataError, match="depth: 'layers'"):
        recipe(tmp_path, content="photo", photo="grass")


@pytest.mark.parametrize("depth", ["plane", "ramp", "cutout", "relief"])
def test_photos_are_rendered_with_the_largest_circle_of_confusion_of_the_recipe(tmp_path, depth):
    found = read(
        recipe(tmp_path, content="photo", photo="grass", depth=depth, max_coc_px="4", height="64", width="64"), 6.0
    )
    assert found.defocus.max() == pytest.approx(4 / 2 / 6.0, abs=0.05)
    assert found.photo == "grass" and found.blurred.dtype == np.uint8


def test_motorcycle_is_rendered_with_its_measured_disparity(tmp_path):
    found = read(
        recipe(tmp_path, content="photo", photo="motorcycle", depth="disparity", scale="0.5", height="0", width="0"),
        6.0,
    )
    assert found.sharp.shape == (250, 370, 3) and len(np.unique(found.defocus)) > 3


def test_blur_beyond_sigma_max_and_a_crop_beyond_the_photo_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"fetch\.sigma_max"):
        read(recipe(tmp_path, max_coc_px="9"), 4.0)
    with pytest.raises(DataError, match="width=4000"):
        read(recipe(tmp_path, content="photo", photo="grass", depth="ramp", width="4000"), 6.0)
    with pytest.raises(DataError, match="16 px"):
        read(recipe(tmp_path, height="8"), 6.0)


def test_depth_models_stay_between_near_and_far():
    for model in ("plane", "ramp", "cutout", "relief"):
        depth = model_depth(model, (30, 40), 2.0, 9.0, np.random.default_rng(0))
        assert depth.shape == (30, 40) and depth.min() >= 2 - 1e-9 and depth.max() <= 9 + 1e-9


def test_a_disparity_of_another_size_or_without_values_is_refused_and_holes_are_filled():
    with pytest.raises(DataError, match="10×10 px and the photo 12×10"):
        disparity_depth(np.ones((10, 10), np.float32), (10, 12), "scene")
    with pytest.raises(DataError, match="no known pixel"):
        disparity_depth(np.zeros((4, 4), np.float32), (4, 4), "scene")
    depth = disparity_depth(np.array([[0, 20], [10, 0]], np.float32), (2, 2), "scene")
    assert np.isfinite(depth).all() and depth[0, 1] < depth[1, 0]


def test_photos_that_do_not_ship_are_named():
    with pytest.raises(DataError, match="unicorn"):
        recipe_photo("unicorn")
    with pytest.raises(DataError, match="coffee"):
        wheel_disparity("coffee")


def test_pictures_survive_a_round_trip_and_damaged_ones_are_refused(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    write_picture(tmp_path / "a.png", levels)
    assert np.array_equal(read_photo(tmp_path / "a.png"), levels)
    whole = (tmp_path / "a.png").read_bytes()
    for name, content in {"cut.png": whole[: len(whole) // 2], "text.png": b"no picture", "empty.png": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            read_photo(tmp_path / name)
    with pytest.raises(DataError, match="no such picture"):
        read_photo(tmp_path / "none.png")
    with pytest.raises(DataError, match="grey"):
        read_defocus(tmp_path / "a.png")


def test_a_scene_refuses_nan_values_out_of_range_and_pictures_of_unequal_size():
    with pytest.raises(DataError, match=r"set/one.*NaN"):
        scene(defocus=np.full((20, 24), np.nan, np.float32))
    with pytest.raises(DataError, match=r"0\.\.1"):
        scene(defocus=np.full((20, 24), 1.5, np.float32))
    with pytest.raises(DataError, match="sharp 8×8"):
        scene(sharp=np.zeros((8, 8, 3), np.uint8))


def test_scenes_are_read_back_as_they_were_written(tmp_path):
    scenes = [scene("set/one"), scene("set/three", "test", "three")]
    write_index(tmp_path, [write_scene(tmp_path, each) for each in scenes])
    for before, after in zip(scenes, load_scenes(tmp_path), strict=True):
        assert np.array_equal(before.blurred, after.blurred) and after.split == before.split
        assert np.allclose(before.defocus, after.defocus, atol=1e-4)
    assert [each.name for each in load_scenes(tmp_path, "test", "set")] == ["set/three"]
    with pytest.raises(DataError, match="set/test"):
        list(load_scenes(tmp_path, "validation"))


def test_an_index_that_is_missing_or_damaged_names_the_stage_to_run(tmp_path):
    with pytest.raises(DataError, match="dvc repro fetch"):
        read_index(tmp_path)
    (tmp_path / "index.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="dvc repro -f fetch"):
        read_index(tmp_path)
