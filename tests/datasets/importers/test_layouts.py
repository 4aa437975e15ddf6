"""The layouts that people have: each is written and read, and broken and told."""

import re
from pathlib import Path

import numpy as np
import pytest

from sftdec.datasets.importers import IMPORTERS, layouts
from sftdec.datasets.recognise import check_folder, recognise
from sftdec.runtime import DataError
from tests.datasets.importers.pictures import photo, soften, write

SHARP = photo(48, 64, 0)
BLURRED = soften(SHARP, 1.5)
# importer, folder's name, its blurred and sharp picture, the scene's name, and its split where that is fixed
LAYOUTS = [
    ("folder", "mine", "blur/a.png", "sharp/a.png", "a", None),
    ("folder", "mine", "input/a.png", "target/a.png", "a", None),
    ("folder", "mine", "input/a.png", "gt/a.png", "a", None),
    ("folder", "mine", "lq/a.png", "gt/a.png", "a", None),
    ("folder", "mine", "inputC_crops/1-3.png", "target_crops/1-3.png", "1-3", None),
    ("folder", "mine", "train/blurred/a.png", "train/sharp/a.png", "train_a", None),
    ("folder", "mine", "val/input/a.png", "val/target/a.png", "val_a", "validation"),
    ("folder", "mine", "test/input/a.png", "test/target/a.png", "test_a", "test"),
    ("folder", "mine", "blurred/test/a.png", "sharp/test/a.png", "test_a", "test"),
    ("folder", "mine", "Blurred/a.png", "Sharp/a.png", "a", None),
    ("folder", "mine", "Test/Blur/a.png", "Test/SHARP/a.png", "test_a", "test"),
    ("folder", "mine", "blurred/a_blur.png", "sharp/a_sharp.png", "a", None),
    ("folder", "mine", "blurred/day/one/a.png", "sharp/day/one/a.png", "day/one/a", None),
    ("realistic", "RTF", "input/image_07.png", "target/sharp_07.png", "07_noise_0", "test"),
    ("flat", "mine", "a_blur.png", "a_sharp.png", "a", None),
    ("flat", "mine", "a-input.jpg", "a-GT.png", "a", None),
    ("flat", "mine", "Test/a_LQ.png", "Test/a_hq.png", "test_a", "test"),
    ("dpdd", "Test_C", "source/1P0A1.png", "target/1P0A2.png", "test_1P0A1", "test"),
    ("dpdd", "mine", "Test_C/Source/1P0A1.png", "Test_C/Target/1P0A2.png", "test_1P0A1", "test"),
]


def written(root, name, blurred, sharp):
    write(root / name / blurred, BLURRED)
    write(root / name / sharp, SHARP)
    return root / name


@pytest.mark.parametrize(("importer", "name", "blurred", "sharp", "scene", "split"), LAYOUTS)
def test_a_layout_is_recognised_and_read(tmp_path, importer, name, blurred, sharp, scene, split):
    folder = written(tmp_path, name, blurred, sharp)
    assert recognise(folder)[0].ABOUT.name == importer
    (entry,) = IMPORTERS[importer].find(folder).entries
    assert (entry.blurred, entry.sharp, entry.name) == (folder / blurred, folder / sharp, scene)
    assert split in (None, entry.split)
    assert np.array_equal(IMPORTERS[importer].read(entry, 6.0).sharp, SHARP)


@pytest.mark.parametrize(("importer", "name", "blurred", "sharp", "scene", "split"), LAYOUTS)
def test_a_layout_whose_picture_has_no_partner_is_told(tmp_path, importer, name, blurred, sharp, scene, split):
    folder = written(tmp_path, name, blurred, sharp)
    (folder / blurred).rename((folder / blurred).with_name("lonely9.png"))
    if importer == "dpdd":
        (folder / "source").mkdir(exist_ok=True)
        write((folder / blurred).with_name("other8.png"), BLURRED)
    if importer == "flat":  # then it may be anything
        assert not recognise(folder)
    told = {"dpdd": "pairs are told by order", "realistic": "neither image_", "flat": "expected a name that ends in"}
    with pytest.raises(DataError, match=f"no scene of .* here; .*{told.get(importer, 'no partner')}"):
        IMPORTERS[importer].find(folder)


def test_a_row_as_the_page_shows_it_is_all_that_a_layout_needs(tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs/data.md").read_text("utf-8")
    (row,) = re.findall(r"^```python\n(TRIPOD = .*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(row, names := {**vars(layouts)})
    monkeypatch.setattr(layouts, "LAYOUTS", {"tripod": names["TRIPOD"], **layouts.LAYOUTS})
    folder = written(tmp_path, "mine", "wide/a.jpg", "stopped/a.png")
    assert recognise(folder)[0].ABOUT.name == "tripod" and "tripod" in [*IMPORTERS]
    assert [entry.name for entry in IMPORTERS["tripod"].find(folder).entries] == ["a"]


@pytest.mark.parametrize("name", [name for name in IMPORTERS if name not in ("sample", "pairs_csv")])
def test_an_empty_folder_is_nothing_and_what_is_expected_is_told(tmp_path, name):
    importer = IMPORTERS[name]
    assert not importer.recognises(tmp_path) and not importer.recognises(tmp_path / "none")
    with pytest.raises(DataError) as caught:
        importer.find(tmp_path)
    assert str(caught.value).endswith(f"Expected:\n{importer.ABOUT.layout}")


def test_a_train_folder_alone_or_beside_a_test_folder_gives_the_splits_that_are_not_there(tmp_path):
    for number in range(40):
        for part, levels in (("blurred", BLURRED), ("sharp", SHARP)):
            write(tmp_path / "mine" / "train" / part / f"p{number}.png", levels)
    importer = IMPORTERS["folder"]
    assert {entry.split for entry in importer.find(tmp_path / "mine").entries} == {"train", "validation", "test"}
    written(tmp_path / "mine", "test", "blurred/z.png", "sharp/z.png")
    splits = {entry.name: entry.split for entry in importer.find(tmp_path / "mine").entries}
    assert {split for name, split in splits.items() if name != "test_z"} == {"train", "validation"}
    assert splits["test_z"] == "test"


def test_crops_of_one_photo_are_in_one_split(tmp_path):
    for crop in range(12):
        written(tmp_path, "mine", f"inputC_crops/77-{crop}.png", f"target_crops/77-{crop}.png")
    entries = IMPORTERS["folder"].find(tmp_path / "mine").entries
    assert len(entries) == 12 and len({(entry.photo, entry.split) for entry in entries}) == 1


def test_more_pictures_named_as_in_rtf_than_it_has_are_another_data_set(tmp_path):
    for number in range(23):
        written(tmp_path, "mine", f"input/image_{number:02d}.png", f"target/sharp_{number:02d}.png")
    assert [each.ABOUT.name for each in recognise(tmp_path / "mine")] == ["folder"]


def test_what_has_no_side_or_twice_one_in_a_flat_folder_is_named(tmp_path):
    folder = written(tmp_path, "mine", "a_blur.png", "a_sharp.png")
    for name in ("notes.png", "b_blur.png", "b_blurred.jpg", "b_gt.png", "_blur.png"):
        write(folder / name, BLURRED)
    listing = IMPORTERS["flat"].find(folder)
    assert [entry.name for entry in listing.entries] == ["a"] and listing.about.name == "mine"
    reasons = {item.path.name: item.reason for item in listing.left_out}
    assert reasons.keys() == {"notes.png", "b_blur.png", "b_blurred.jpg", "b_gt.png", "_blur.png"}
    assert "ends in _blur or _sharp" in reasons["notes.png"] and "keep one of them" in reasons["b_gt.png"]


def test_numbered_copies_of_cuhk_are_recognised_by_their_masks(tmp_path):
    write(tmp_path / "blur" / "image" / "0001.jpg", BLURRED)
    assert recognise(tmp_path / "blur") == []
    write(tmp_path / "blur" / "gt" / "0001.png", SHARP[..., 0])
    assert [each.ABOUT.name for each in recognise(tmp_path / "blur")] == ["cuhk"]


def test_a_data_set_three_folders_deeper_is_pointed_to(tmp_path):
    folder = written(tmp_path / "download" / "v1" / "data", "mine", "blur/a.png", "sharp/a.png")
    report = check_folder(tmp_path)
    assert report.exit_code == 2 and f"{folder} has the layout of folder: check that folder" in report.text()
