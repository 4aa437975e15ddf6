"""Folds of photos: every photo is judged once, and by a training that didn't see it."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sftdec.datasets import read_index, read_recipes
from sftdec.datasets.scene import load_scenes, write_index, write_scene
from sftdec.experiments.folds import RENDERINGS, WHEELS, fold_index, lay_out, write_fold
from sftdec.runtime import DataError
from tests.training.small import scenes


def index(photos):
    return pd.DataFrame({"photo": [f"p{number}" for number in range(photos) for _ in range(4)], "split": "train"})


@pytest.mark.parametrize(("photos", "folds"), [(24, 3), (25, 3), (13, 6)])
def test_each_photo_is_judged_in_one_fold_and_learned_from_in_the_others(photos, folds):
    found = [fold_index(index(photos), fold, folds) for fold in range(folds)]
    judged = [set(each.loc[each["split"] == "test", "photo"]) for each in found]
    assert sorted(photo for fold in judged for photo in fold) == sorted(index(photos)["photo"].unique())
    assert max(map(len, judged)) - min(map(len, judged)) <= 1
    for each in found:
        assert set(each["split"]) == {"train", "validation", "test"}
        assert (each.groupby("photo")["split"].nunique() == 1).all()


def test_the_order_of_the_index_doesn_t_matter():
    table = index(9)
    shuffled = fold_index(table.sample(frac=1, random_state=1), 1, 3).sort_index()
    pd.testing.assert_frame_equal(shuffled, fold_index(table, 1, 3))


def test_too_few_photos_are_refused():
    with pytest.raises(DataError, match="found 5 photos for 3 folds, expected two a fold"):
        fold_index(index(5), 0, 3)


def test_a_fold_has_the_pictures_where_they_are(tmp_path):
    made = list(scenes(("train", "validation", "test")))
    write_index(tmp_path / "scenes", [write_scene(tmp_path / "scenes", scene) for scene in made])
    write_fold(tmp_path / "scenes", read_index(tmp_path / "scenes"), tmp_path / "folds" / "0")
    assert [path.name for path in (tmp_path / "folds" / "0").iterdir()] == ["index.parquet"]
    found = list(load_scenes(tmp_path / "folds" / "0"))
    assert all(np.array_equal(one.blurred, other.blurred) for one, other in zip(found, made, strict=True))


def test_every_photo_has_its_renderings_whatever_photos_there_are(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save(tmp_path / "photos" / "mine.png")
    assert lay_out(tmp_path / "more", tmp_path / "photos", ["coffee"]) == len(WHEELS)
    assert lay_out(tmp_path / "few", None) == len(WHEELS)
    seeds = []
    for name in ("more", "few"):
        read_recipes(tmp_path / name / "folds" / "recipes.csv")
        rows = list(csv.DictReader((tmp_path / name / "folds" / "recipes.csv").open()))
        assert len(rows) == len(WHEELS) * len(RENDERINGS)
        seeds.append({row["name"]: row["seed"] for row in rows})
    both = seeds[0].keys() & seeds[1].keys()
    assert len(both) == 4 * (len(WHEELS) - 1) and all(seeds[0][name] == seeds[1][name] for name in both)


def test_photos_that_aren_t_there_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no photos are there; run python -m experiments\.builtin\.photos"):
        lay_out(tmp_path, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"photos\.left_out: found cofee"):
        lay_out(tmp_path, None, ["cofee"])
