"""Pairs that a table lists."""

from pathlib import Path

import numpy as np
import pytest

from sftdec.datasets.importers import pairs_csv
from sftdec.datasets.recognise import recognise
from sftdec.runtime import DataError
from tests.datasets.importers.pictures import photo, soften, write

SHARP = photo(48, 64, 0)


def listed(root, table, names=("x/1.png", "y/1.jpg", "x/2.png")):
    for name in names:
        write(root / "mine" / name, SHARP if name[0] == "y" else soften(SHARP, 1.5))
    write(root / "mine" / "map.png", np.full((48, 64), 32768, np.uint16))
    (root / "mine" / "pairs.csv").write_text(table, encoding="utf-8")
    return root / "mine"


def test_each_row_is_a_pair_with_the_map_photo_and_split_that_it_gives(tmp_path):
    table = "blurred,sharp,defocus,photo,split\nx/1.png,y/1.jpg,map.png,cat,val\nx/2.png,y/1.jpg,,cat,validation\n"
    folder = listed(tmp_path, "\ufeff" + table)
    assert recognise(folder)[0] is pairs_csv
    listing = pairs_csv.find(folder)
    assert [(e.name, e.photo, e.split) for e in listing.entries] == [
        ("x/1", "cat", "validation"),
        ("x/2", "cat", "validation"),
    ]
    scenes = [pairs_csv.read(entry, 6.0) for entry in listing.entries]
    assert [scene.name for scene in scenes] == ["mine/x/1", "mine/x/2"]
    assert np.allclose(scenes[0].defocus, 0.5, atol=1e-4) and not np.allclose(scenes[1].defocus, 0.5, atol=1e-4)


def test_blurred_pictures_of_one_sharp_one_are_one_photo_and_in_one_split(tmp_path):
    listing = pairs_csv.find(listed(tmp_path, "blurred,sharp\nx/1.png,y/1.jpg\nx/2.png,y/1.jpg\n"))
    assert len(listing.entries) == 2 and len({(entry.photo, entry.split) for entry in listing.entries}) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x/9.png,y/1.jpg,", r"row 3: there is no x/9\.png \(blurred\)"),
        ("x/2.png,,", "row 3: sharp is empty, expected a path"),
        ("../x.png,y/1.jpg,", r"row 3: \.\./x\.png lies outside"),
        ("x/2.png,y/1.jpg,dev", "row 3: split is dev, expected train, validation, test, val"),
    ],
)
def test_a_row_that_makes_no_scene_is_left_out_by_its_number(tmp_path, row, reason):
    listing = pairs_csv.find(listed(tmp_path, f"blurred,sharp,split\nx/1.png,y/1.jpg,test\n{row}\n"))
    assert len(listing.entries) == 1
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(listing.left_out[0].reason)


def test_what_lies_outside_is_left_out_from_within_the_folder_too(tmp_path, monkeypatch):
    folder = listed(tmp_path / "mine", "blurred,sharp\nx/1.png,y/1.jpg\n../x.png,y/1.jpg\n")
    (tmp_path / "x.png").write_bytes((folder / "x/1.png").read_bytes())
    monkeypatch.chdir(folder)
    listing = pairs_csv.find(Path("."))
    assert len(listing.entries) == 1 and "lies outside" in listing.left_out[0].reason


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "no table that can be read"),
        ("sharp,soft\na,b\n", "found the columns sharp, soft, expected blurred, sharp"),
        ("blurred,sharp\nx/1.png\n", "row 2 has 1 cells, expected 2"),
        ("\nblurred,sharp\n\n\nx/1.png\n", "row 5 has 1 cells, expected 2"),
        ("blurred,sharp,photo,split\nx/1.png,y/1.jpg,a,test\nx/2.png,y/1.jpg,a,train\n", "a is in test and train"),
        ("blurred,sharp\n", "no scene of mine here"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, table, reason):
    with pytest.raises(DataError, match=reason):
        pairs_csv.find(listed(tmp_path, table))
