"""What an index of scenes may hold."""

import numpy as np
import pandas as pd
import pytest

from sftdec.datasets import Scene, write_scene
from sftdec.datasets.schema import validate_index
from sftdec.runtime.errors import DataError


@pytest.fixture
def index(tmp_path):
    """The index of two scenes that are really written, as columns of measures make it whole."""
    sharp = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    defocus = np.full((24, 32), 0.3, np.float32)
    scenes = [Scene(f"set/{name}", "set", "train", name, 6.0, sharp, sharp, defocus) for name in "ab"]
    measured = {"photo_hash": "0123456789abcdef", "shift": 0.1, "sharpening": 2.0}
    return pd.DataFrame([{**write_scene(tmp_path, scene), **measured} for scene in scenes])


def test_an_index_that_is_as_it_should_be_comes_back_as_it_was(index):
    assert validate_index(index) is index
    validate_index(index.assign(shift=np.nan, sharpening=np.nan, photo_hash=""))
    validate_index(index.assign(notes="a column of one's own"))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("split", "training", "found 'training', expected train, validation or test"),
        ("scene", "set/a", "found 'set/a', expected each once"),
        ("height", 0, "found 0, expected 1 px or more"),
        ("sigma_max", -1.0, "found -1.0, expected above 0"),
        ("sigma_mean", 2.5, "found 2.5, expected at most sigma_peak"),
        ("sigma_peak", 7.0, "found 7.0, expected at most sigma_max"),
        ("sigma_peak", np.nan, "found nan, expected a value"),
        ("blurred", "../../secret.png", "expected the path of a picture inside the folder"),
        ("blurred", "blurred/set/a.txt", "expected the path of a picture inside the folder"),
        ("sharp", "/etc/passwd.png", "expected the path of a picture inside the folder"),
        ("defocus_sha256", "abc", "found 'abc', expected 64 hexadecimal digits"),
        ("photo_hash", "xyz", "found 'xyz', expected 16 hexadecimal digits or none"),
        ("shift", -0.5, "found -0.5, expected 0 px or more"),
    ],
)
def test_a_fault_is_named_by_row_and_column_with_what_was_found_and_expected(index, column, value, expected):
    index.loc[1, column] = value
    with pytest.raises(DataError) as caught:
        validate_index(index)
    assert "index.parquet" in str(caught.value) and expected in str(caught.value)
    assert f"row 1 ({index['scene'][1]}), {column}" in str(caught.value)


def test_a_photo_in_two_splits_is_named(index):
    index.loc[1, ["photo", "split"]] = ["a", "test"]
    with pytest.raises(DataError, match=r"row 1 \(set/b\), split: found 'test', expected one split"):
        validate_index(index)


def test_a_column_that_is_missing_or_of_another_type_is_named(index):
    with pytest.raises(DataError, match="photo_hash: there is no such column"):
        validate_index(index.drop(columns="photo_hash"))
    with pytest.raises(DataError, match="sigma_max: found values of type str, expected float64"):
        validate_index(index.assign(sigma_max="six"))


def test_of_many_faults_the_first_are_told_and_the_rest_counted(index):
    with pytest.raises(DataError, match="and 3 more"):
        validate_index(index.assign(split="x", photo_hash="x", shift=-1.0, sharp="x"))
