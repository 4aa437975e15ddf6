"""RealDOF as its authors pack it, and what may be wrong with it."""

import pytest

from sftdec.datasets.importers.layouts import REALDOF
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, write

FOLDERS = {"blurred": "source", "sharp": "target"}


@pytest.fixture
def root(tmp_path):
    for number in range(1, 4):
        for role in FOLDERS.values():
            write(tmp_path / role / f"{number:02d}.png", photo(20, 24, number))
    return tmp_path


def test_all_pairs_are_for_testing_and_paired_by_number(root):
    listing = REALDOF.find(root)
    assert [(e.name, e.split, e.sharp.parent.name) for e in listing.entries] == [
        (name, "test", "target") for name in ("01", "02", "03")
    ]
    assert listing.sizes == (((20, 24), 3),) and "3 (train 0, validation 0, test 3)" in listing.table()


def test_a_scene_is_named_after_its_data_set(root):
    scene = REALDOF.read(REALDOF.find(root).entries[1], 4.0)
    assert (scene.name, scene.dataset, scene.photo, scene.split) == ("realdof/02", "realdof", "02", "test")


def test_only_numbers_of_equal_name_are_recognised(root, tmp_path_factory):
    assert REALDOF.recognises(root)
    other = tmp_path_factory.mktemp("dpdd")
    write(other / "source" / "1P0A0890.png", photo(20, 24, 0))
    write(other / "target" / "1P0A0891.png", photo(20, 24, 0))
    assert not REALDOF.recognises(other)
    write(other / "target" / "1P0A0890.png", photo(20, 24, 0))
    assert not REALDOF.recognises(other) and not REALDOF.recognises(other / "none")


def test_a_folder_without_pairs_says_what_is_expected(tmp_path):
    write(tmp_path / "source" / "01.png", photo(20, 24, 0))
    with pytest.raises(DataError, match=r"(?s)no partner of this name in target/.*source/NN\.png"):
        REALDOF.find(tmp_path)
