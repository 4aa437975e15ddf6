"""Trying other shapes and other scenes, one change at a time."""

import sys

import pandas as pd
import pytest

from experiments.builtin import trials
from experiments.builtin.scenes import lay_out
from sftdec.datasets import RECIPES
from sftdec.networks import load_weights
from sftdec.runtime import DataError, read_yaml

LISTED = read_yaml(trials.TRIALS)


@pytest.mark.parametrize("name", LISTED["shapes"])
def test_a_shape_takes_no_more_than_130_kmac_a_pixel(name, rendered, tmp_path):
    wishes, costs = trials.shape(name, LISTED["shapes"][name], tmp_path, rendered, minutes=1)
    assert 100 <= int(costs["kmacs_a_pixel"]) <= 130
    assert load_weights(wishes.start).config.features == LISTED["shapes"][name]["features"]


@pytest.mark.parametrize("name", [name for name, change in LISTED["recipes"].items() if set(change) - {"seed"}])
def test_a_change_is_one_of_training_scenes_alone(name, tmp_path):
    change = LISTED["recipes"][name]
    found = []
    for folder, changed in (("as_it_is", trials.Change({}, "")), ("changed", trials.change_of(change))):
        (tmp_path / "photos").mkdir(exist_ok=True)
        lay_out(tmp_path / folder, tmp_path / "photos", 0.001, changed)
        found.append((tmp_path / folder / "camera" / RECIPES).read_text().splitlines())
    kept = [line for line in found[0] if ",validation," in line]
    assert found[0] != found[1] and kept == [line for line in found[1] if ",validation," in line]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"trials\.yaml: found the column 'jpg', expected one of name, "):
        trials.Change({"jpg": "0"}, "")({"name": "a", "jpeg": "80"})


@pytest.mark.services
def test_a_shape_is_tried_once_and_leaves_weights_and_a_row(build, tmp_path, monkeypatch, capsys):
    file = tmp_path / "trials.yaml"
    file.write_text("shapes: {least: {features: 8, blocks: 1}}\n")
    monkeypatch.setattr(trials, "TRIALS", file)
    out = tmp_path / "out"
    for _ in range(2):
        options = ["--minutes", "0.05", "--crop", "32", "--build", str(build), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["", "shapes", *options])
        trials.main()
    (row,) = pd.read_csv(out / "shapes.csv").to_dict("records")
    assert row["trial"] == "least" and row["steps"] > 0 and load_weights(out / "least.safetensors").config.features == 8
    assert capsys.readouterr().out.count("least: ") == 1
