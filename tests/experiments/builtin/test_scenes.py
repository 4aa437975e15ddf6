"""The scenes that the built-in model goes on from."""

from pathlib import Path

import numpy as np
import pytest

from experiments.builtin.scenes import ROOT, TABLES, lay_out
from sftdec.datasets import OWN_PHOTOS, RECIPES, read_recipes
from sftdec.datasets.recipes import _LEFT_OUT
from sftdec.photos import write_picture
from sftdec.runtime import DataError


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A picture for each name that photos.csv has."""
    folder = tmp_path_factory.mktemp("photos")
    for line in (ROOT / "experiments/builtin/photos.csv").read_text("utf-8").splitlines()[1:]:
        write_picture(folder / f"{line.split(',')[0]}.png", np.zeros((16, 16, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def recipes(photos, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    lay_out(data, photos, 1.0)
    return read_recipes(data / "camera" / RECIPES)


def test_each_column_is_used_and_leaves_some_scenes_as_they_were(recipes):
    for column, default in _LEFT_OUT.items():
        found = {str(getattr(each, column)) for each in recipes}
        assert found != {default}, column
        assert default in found or column in ("answer", "sharpen_px"), column


def test_there_are_scenes_in_focus_light_heavy_and_beyond_the_map(recipes):
    train = [each for each in recipes if each.split == "train"]
    focused = [each for each in train if each.max_coc_px == 0]
    assert 0.1 < len(focused) / len(train) < 0.2
    assert all(each.answer == "grain" for each in train)
    assert all(each.cut_map for each in train if each.max_coc_px > 12)
    assert sum(each.max_coc_px > 12 for each in train) / len(train) > 0.08
    assert 0.3 < np.mean([each.jpeg > 0 for each in train]) < 0.7
    light = [each for each in train if each.content == "leaves" and each.max_coc_px < 5]
    assert not light  # leaves alone lose on light blur


def test_nothing_that_the_model_is_judged_by_is_trained_on(recipes):
    judged = {photo for each in read_recipes(TABLES["sample"]) if each.split != "train" for photo in each.photos}
    trained = {Path(photo).stem for each in recipes if each.split == "train" for photo in each.photos}
    assert not judged & trained


def test_a_share_keeps_every_row_and_all_that_is_validated(photos, tmp_path):
    lay_out(tmp_path, photos, 0.001)
    found = read_recipes(tmp_path / "camera" / RECIPES)
    rows = TABLES["camera"].read_text("utf-8").splitlines()[1:]
    assert sum(each.split == "train" for each in found) == sum(",train," in row for row in rows)
    assert sum(each.split == "validation" for each in found) == 30
    assert (tmp_path / "camera" / OWN_PHOTOS / "stream.png").exists()


def test_what_is_missing_or_makes_no_sense_is_said(photos, tmp_path):
    with pytest.raises(DataError, match=r"no photos are there; run python -m experiments\.builtin\.photos first"):
        lay_out(tmp_path, tmp_path / "none", 1.0)
    with pytest.raises(DataError, match=r"--share: found 2, expected above 0 and at most 1"):
        lay_out(tmp_path, photos, 2.0)
