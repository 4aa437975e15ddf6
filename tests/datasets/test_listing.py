"""Names that are kept, and those that can't be."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from sftdec.datasets.importers.layouts import FOLDER
from sftdec.datasets.listing import pictures, split_of
from sftdec.datasets.recognise import check_folder


def folder_of(root, *names, endings=(".png", ".png")):
    levels = np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)
    for part, ending in zip(("blurred", "sharp"), endings, strict=True):
        (root / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(levels).save(root / part / f"{name}{ending}")
    return root


def test_a_photo_is_in_one_split_however_its_name_is_stored():
    names = [f"Fräulein-{number}-é" for number in range(200)]
    composed, apart = ([unicodedata.normalize(form, name) for name in names] for form in ("NFC", "NFD"))
    assert composed != apart and list(map(split_of, composed)) == list(map(split_of, apart))
    assert {split_of(name) for name in names} == {"train", "validation", "test"}


def test_entries_bear_composed_names_and_are_in_their_order(tmp_path):
    names = ["Zoe", "Zoë", "Zof", "a"]
    for form in ("NFC", "NFD"):
        root = folder_of(tmp_path / form, *(unicodedata.normalize(form, name) for name in names))
        entries = FOLDER.find(root).entries
        assert [entry.name for entry in entries] == [entry.photo for entry in entries] == ["Zoe", "Zof", "Zoë", "a"]
        found = [unicodedata.normalize("NFC", path.stem) for path in pictures(root / "blurred")]
        assert found == ["Zoe", "Zof", "Zoë", "a"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a\\b", "a backslash"),
        ("a\nb", "a line break"),
        ("a\x01b", "the control character 0x01"),
        ("a\udcffb", "bytes that are no UTF-8"),
    ],
)
def test_a_name_that_no_index_can_keep_is_named_before_the_work_on_one_line(tmp_path, name, what):
    listing = FOLDER.find(folder_of(tmp_path / "mine", "whole", name))
    assert [entry.name for entry in listing.entries] == ["whole"]
    (fault,) = listing.faults
    assert f"holds {what}: rename the file, and its partners" in fault.reason and fault.check == "unreadable"
    table = listing.table().splitlines()
    assert sum("rename the file" in line for line in table) == 1 and len(table) == 7


def test_pairs_of_every_format_are_read_and_those_that_can_not_be_are_faults(tmp_path):
    root = folder_of(tmp_path / "mine", "a")
    for ending in (".bmp", ".jfif", ".jp2", ".avif"):
        folder_of(root, ending[1:], endings=(ending, ".png"))
    assert {entry.name for entry in FOLDER.find(root).entries} == {"a", "bmp", "jfif", "jp2", "avif"}
    for part in ("blurred", "sharp"):
        for number in range(40):
            (root / part / f"IMG_{number}.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
            (root / part / f"IMG_{number}.dng").write_bytes(b"II*\0\x08\0\0\0")
            (root / part / f"IMG_{number}.xmp").touch()
    listing, report = FOLDER.find(root), check_folder(root)
    assert len(listing.entries) == 5 and len(listing.faults) == 40  # the HEIC, which say what they need
    assert all(fault.path.suffix == ".heic" for fault in listing.faults)
    assert report.exit_code == 1 and "40 files left out" in report.text().splitlines()[-1]
    assert report.text().count(".xmp: no picture that is read; 40 files end in .xmp") == 2
