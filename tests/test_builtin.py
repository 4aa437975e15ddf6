"""The model that ships with the package."""

import csv
from pathlib import Path

import pytest

from sftdec.builtin import builtin_weights
from sftdec.datasets.recipes import read_recipes
from sftdec.datasets.sample import read
from sftdec.evaluation.metrics import psnr, to_uint8
from sftdec.inference.deblur import deblur_array
from sftdec.networks import load_weights
from sftdec.params import load_params

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "experiments" / "builtin" / "recipes.csv"


def test_it_is_what_its_parameter_file_describes_in_at_most_4_mb():
    params = load_params(ROOT / "params.builtin.yaml")
    network = load_weights(builtin_weights())
    assert builtin_weights().stat().st_size <= 4_000_000
    assert network.config == params.network
    assert network.training_crop == params.train.common.crop


@pytest.mark.slow
def test_it_sharpens_a_photo_that_it_has_never_seen():
    recipe = next(each for each in read_recipes(ROOT / "data/sample/recipes.csv") if each.name == "coffee_relief")
    scene = read(recipe, 6.0)
    deblurred = to_uint8(deblur_array(load_weights(builtin_weights()), scene.blurred)[0])
    assert psnr(deblurred, scene.sharp) > psnr(scene.blurred, scene.sharp) + 0.5


def test_its_card_names_the_author_and_licence_of_every_photo_it_was_trained_on():
    card = builtin_weights().with_name("MODEL_CARD.md").read_text("utf-8")
    own = {row["name"]: row for row in csv.DictReader(RECIPES.with_name("photos.csv").read_text("utf-8").splitlines())}
    for table in (RECIPES, ROOT / "data/sample/recipes.csv"):
        for row in csv.DictReader(table.read_text("utf-8").splitlines()):
            for name in row["photo"].split("|") if row["split"] == "train" else ():
                assert any(f"{name}{end}" in card for end in (" |", ",", " ("))
                assert all(own[name][part] in card for part in ("author", "licence") if name in own)


def test_nothing_that_it_is_judged_by_is_among_what_it_was_trained_on():
    judged = {photo for each in read_recipes(ROOT / "data/sample/recipes.csv") if each.split == "test"
              for photo in each.photos}  # fmt: skip
    rows = csv.DictReader(RECIPES.read_text("utf-8").splitlines())
    assert not judged & {photo for row in rows for photo in row["photo"].split("|")}
