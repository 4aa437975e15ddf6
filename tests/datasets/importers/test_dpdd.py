"""DPDD as its authors and others pack it, and what may be wrong with it."""

import numpy as np
import pytest

from sftdec.datasets.importers.layouts import DPDD
from tests.datasets.importers.pictures import photo, write

# blurred and sharp shot of each scene, as in the authors' lists: before, after, and one with a shot between
SHOTS = {"train": [(890, 891), (892, 893), (1500, 1499)], "val": [(2027, 2029), (2100, 2099)], "test": [(917, 916)]}
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def write_part(blurred, sharp, shots):
    for seed, (source, target) in enumerate(shots):
        write(blurred / f"1P0A{source:04d}.png", np.uint16(photo(20, 24, seed)) * 257)
        write(sharp / f"1P0A{target:04d}.png", np.uint16(photo(20, 24, seed)) * 257)


@pytest.fixture
def root(tmp_path):
    for part, shots in SHOTS.items():
        write_part(tmp_path / f"{part}_c" / "source", tmp_path / f"{part}_c" / "target", shots)
        for view in "lr":  # the two views of the sensor are not used
            write(tmp_path / f"{part}_{view}" / "source" / "1P0A0001.png", photo(20, 24, 0))
    return tmp_path


def test_pairs_whose_names_differ_are_found_in_the_official_splits(root):
    listing = DPDD.find(root)
    expected = [
        (f"{part}_1P0A{source:04d}", SPLITS[part], f"1P0A{target:04d}.png")
        for part, shots in SHOTS.items()
        for source, target in shots
    ]
    assert [(e.name, e.split, e.sharp.name) for e in listing.entries] == expected
    assert listing.bits == ((16, 6),) and not listing.left_out
    assert "16 bit (6)" in listing.table() and "estimated from each pair" in listing.table()


def test_sixteen_bits_are_rounded_to_eight(root):
    path = root / "train_c" / "source" / "1P0A0890.png"
    levels = np.uint16(np.arange(480).reshape(20, 24)[..., None] * [100, 90, 80])
    write(path, levels)
    scene = DPDD.read(DPDD.find(root).entries[0], 4.0)
    assert np.array_equal(scene.blurred, np.rint(levels / 257)) and scene.name == "dpdd/train_1P0A0890"


def test_a_part_that_lacks_a_file_is_left_out_whole_and_the_place_is_named(root):
    (root / "train_c" / "source" / "1P0A0892.png").unlink()
    listing = DPDD.find(root)
    assert {e.split for e in listing.entries} == {"validation", "test"}
    (item,) = listing.left_out
    assert item.path == root / "train_c" and "2 pictures in source/ and 3 in target/" in item.reason
    assert "1P0A1500.png would meet 1P0A0893.png" in item.reason


def test_two_lost_files_of_different_scenes_are_not_mistaken_for_a_pair(root):
    (root / "train_c" / "source" / "1P0A0892.png").unlink()
    (root / "train_c" / "target" / "1P0A1499.png").unlink()
    listing = DPDD.find(root)
    assert {e.split for e in listing.entries} == {"validation", "test"}
    assert "1P0A1500.png would meet 1P0A0893.png" in listing.left_out[0].reason


def test_a_part_with_a_file_too_many_is_left_out_whole_even_where_its_number_fits(root):
    write(root / "test_c" / "target" / "1P0A0918.png", photo(20, 24, 0))  # 917 has a neighbour on either side
    write(root / "val_c" / "source" / "1P0A2099.png", photo(20, 24, 0))  # a sharp shot among the blurred ones
    listing = DPDD.find(root)
    assert {e.split for e in listing.entries} == {"train"}
    assert [(item.path.name, "as a whole" in item.reason) for item in listing.left_out] == [
        ("val_c", True),
        ("test_c", True),
    ]


@pytest.mark.parametrize(("above", "split"), [*SPLITS.items(), (".", "test")])
def test_the_other_layout_has_the_combined_view_in_inputC(tmp_path, above, split):
    part = tmp_path / "DPDD" / above
    write_part(part / "inputC", part / "target", SHOTS["val"])
    write(part / "inputL" / "1P0A2027.png", photo(20, 24, 0))
    assert DPDD.recognises(tmp_path / "DPDD")
    entries = DPDD.find(tmp_path / "DPDD").entries
    assert [e.split for e in entries] == [split] * 2 and entries[0].sharp.name == "1P0A2029.png"


def test_the_folder_of_one_part_keeps_its_split(tmp_path):
    write_part(tmp_path / "train" / "inputC", tmp_path / "train" / "target", SHOTS["train"])
    assert [e.split for e in DPDD.find(tmp_path / "train").entries] == ["train"] * 3


def test_a_copy_renamed_to_equal_names_is_paired_by_name(tmp_path):
    for part in ("train", "test"):
        for number in (9, 10, 11):
            for folder in ("inputC", "target"):
                write(tmp_path / part / folder / f"{number}.png", photo(20, 24, number))
    (tmp_path / "train" / "target" / "9.png").unlink()
    listing = DPDD.find(tmp_path)
    assert [(e.photo, e.sharp.name) for e in listing.entries] == [
        (f"{part}_{number}", f"{number}.png")
        for part, numbers in {"train": (10, 11), "test": (10, 11, 9)}.items()
        for number in numbers
    ]
    assert [item.path.name for item in listing.left_out] == ["9.png"]
