"""CUHK's importer, on small folders in the layout that its authors publish."""

import numpy as np
import pytest

from sftdec.datasets.importers import cuhk
from sftdec.datasets.recognise import check_folder
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, truncate, write

MASK = np.uint8(255 * (np.arange(40)[:, None] > np.arange(30)[None]))


def reasons(listing):
    return {item.path.name: item.reason for item in listing.left_out}


def test_flat_photos_of_either_case_are_found_and_masks_are_no_photos(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1))
    write(tmp_path / "out_of_focus0027.JPG", photo(40, 30, 2))
    write(tmp_path / "out_of_focus0001.png", MASK)
    assert cuhk.recognises(tmp_path)
    listing = cuhk.find(tmp_path)
    assert [(entry.name, entry.split, entry.sharp) for entry in listing.entries] == [
        ("out_of_focus0001", "test", None),
        ("out_of_focus0027", "test", None),
    ]
    assert dict(listing.entries[0].details)["mask"].name == "out_of_focus0001.png"
    assert listing.entries[1].details == ()
    assert not listing.left_out


def test_photos_and_masks_in_image_and_gt_are_found(tmp_path):
    write(tmp_path / "image" / "out_of_focus0001.jpg", photo(40, 30, 1))
    write(tmp_path / "gt" / "out_of_focus0001.png", MASK)
    write(tmp_path / "gt" / "out_of_focus0002.png", MASK)
    listing = cuhk.find(tmp_path)
    assert dict(listing.entries[0].details)["mask"] == tmp_path / "gt" / "out_of_focus0001.png"
    assert reasons(listing) == {"out_of_focus0002.png": "a mask without its photo"}


def test_the_table_counts_pictures_not_pairs_and_has_no_map(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1))
    table = cuhk.find(tmp_path).table()
    assert "pictures   1 (train 0, validation 0, test 1)" in table
    assert "map        none" in table
    assert "30×40 (1)" in table


def test_photos_blurred_by_motion_and_second_ones_by_a_name_are_left_out(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1))
    write(tmp_path / "out_of_focus0001.JPG", photo(40, 30, 2))
    write(tmp_path / "motion0001.jpg", photo(40, 30, 3))
    listing = cuhk.find(tmp_path)
    assert [entry.blurred.name for entry in listing.entries] == ["out_of_focus0001.JPG"]
    assert reasons(listing) == {
        "motion0001.jpg": "blurred by motion, not by defocus",
        "out_of_focus0001.jpg": "a second photo by that name, beside out_of_focus0001.JPG",
    }


def test_reading_says_that_there_is_no_sharp_picture_and_what_to_do_instead(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1))
    (entry,) = cuhk.find(tmp_path).entries
    with pytest.raises(DataError) as error:
        cuhk.read(entry, 6.0)
    assert "out_of_focus0001.jpg: CUHK has no sharp picture to train on or to compare with" in str(error.value)
    assert f"sftdec deblur {tmp_path} -o OUT" in str(error.value)


def test_a_zero_byte_file_is_left_out_with_its_name_and_a_turned_photo_has_its_seen_size(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1), exif_orientation=6)
    (tmp_path / "out_of_focus0002.jpg").write_bytes(b"")
    listing = cuhk.find(tmp_path)
    assert listing.sizes == (((40, 30), 1),)
    assert "an empty file" in reasons(listing)["out_of_focus0002.jpg"]


def test_a_photo_cut_down_to_its_first_bytes_is_left_out(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1))
    truncate(write(tmp_path / "out_of_focus0002.jpg", photo(40, 30, 1)), 0)
    assert list(reasons(cuhk.find(tmp_path))) == ["out_of_focus0002.jpg"]


def test_a_file_that_is_no_picture_is_named_and_is_no_fault(tmp_path):
    write(tmp_path / "image" / "out_of_focus0001.jpg", photo(40, 30, 1))
    write(tmp_path / "gt" / "out_of_focus0001.png", MASK)
    for part in ("image", "gt"):
        (tmp_path / part / "Thumbs.db").write_bytes(b"thumbs")
    listing = cuhk.find(tmp_path)
    assert [item.path.parent.name for item in listing.left_out] == ["image", "gt"]
    assert "no picture that is read" in reasons(listing)["Thumbs.db"] and not listing.faults


def test_a_grey_photo_is_found_in_its_size_and_depth(tmp_path):
    write(tmp_path / "out_of_focus0001.jpg", photo(40, 30, 1)[..., 0])
    listing = cuhk.find(tmp_path)
    assert listing.sizes == (((40, 30), 1),) and listing.bits == ((8, 1),)


@pytest.mark.parametrize("ending", [".jpg", ".JPEG"])
def test_a_photo_whose_end_is_missing_is_named_by_the_check(tmp_path, ending):
    truncate(write(tmp_path / f"out_of_focus0001{ending}", photo(160, 120, 1)), 0.7)
    (problem,) = check_folder(tmp_path).problems
    assert (problem.scene, problem.check) == ("cuhk/out_of_focus0001", "unreadable")
    assert f"out_of_focus0001{ending}" in problem.reason


def test_a_folder_of_other_pictures_is_not_recognised_and_an_empty_one_is_an_error(tmp_path):
    write(tmp_path / "holiday.png", photo(40, 30, 1))
    assert not cuhk.recognises(tmp_path)
    with pytest.raises(DataError, match=r"no scene of cuhk here; holiday\.png: a mask without its photo"):
        cuhk.find(tmp_path)
