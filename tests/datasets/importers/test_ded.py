"""DED's importer, on small folders in the layout that its authors publish."""

import numpy as np
import pytest

from sftdec.datasets.importers import ded
from sftdec.datasets.listing import split_of
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, write


def ramp(height=40, width=56):
    """A map in DED's levels, uint16 H×W, from 0 to full."""
    return np.broadcast_to(np.linspace(0, 65280, width).round().astype(np.uint16), (height, width)).copy()


def add(root, number, ending=".jpg", prefix="sharp", seed=0, spelling="filterd", **options):
    sharp = photo(40, 56, seed)
    write(root / "sharp" / f"{prefix}_{number}{ending}", sharp, **options)
    write(root / "image" / f"image_{number}{ending}", soften(sharp, 1.5), **options)
    write(root / "filtered" / f"defocus_{spelling}_{number}.png", ramp())
    return sharp


def reasons(listing):
    return {item.path.name: item.reason for item in listing.left_out}


def test_a_folder_in_the_authors_layout_is_recognised_and_another_is_not(tmp_path):
    add(tmp_path / "ded", "604")
    (tmp_path / "other" / "sharp").mkdir(parents=True)
    assert ded.recognises(tmp_path / "ded")
    assert not ded.recognises(tmp_path / "other")


def test_sharp_pictures_drive_and_are_paired_by_their_number(tmp_path):
    sharp = {number: add(tmp_path, number, prefix=f"scene{number}", seed=int(number)) for number in ("1", "10", "2")}
    listing = ded.find(tmp_path)
    assert [entry.name for entry in listing.entries] == ["1", "10", "2"]
    assert not listing.left_out
    assert listing.sizes == (((40, 56), 3),)
    for entry in listing.entries:
        scene = ded.read(entry, 6.0)
        assert np.abs(scene.sharp.astype(int) - sharp[entry.name]).max() <= 6  # JPEG
        assert np.abs(scene.blurred.astype(int) - soften(sharp[entry.name], 1.5)).max() <= 6


def test_a_map_is_the_share_of_level_65280_whatever_sigma_max_is(tmp_path):
    add(tmp_path, "7")
    (entry,) = ded.find(tmp_path).entries
    for sigma_max in (2.0, 6.0):
        scene = ded.read(entry, sigma_max)
        np.testing.assert_allclose(scene.defocus, ramp() / 65280, atol=1e-6)
        assert scene.defocus.max() == 1


def test_the_table_says_that_the_unit_is_not_px(tmp_path):
    add(tmp_path, "7")
    assert "share of the strongest blur" in ded.find(tmp_path).table()
    assert "not px" in ded.find(tmp_path).table()


def test_the_right_spelling_of_filtered_is_read_too(tmp_path):
    add(tmp_path, "7", spelling="filtered")
    assert ded.find(tmp_path).entries[0].defocus.name == "defocus_filtered_7.png"


def test_a_map_beyond_level_65280_names_file_and_level(tmp_path):
    add(tmp_path, "7")
    write(tmp_path / "filtered" / "defocus_filterd_7.png", np.full((40, 56), 65535, np.uint16))
    with pytest.raises(DataError, match=r"defocus_filterd_7\.png: level 65535 is beyond 65280"):
        ded.read(ded.find(tmp_path).entries[0], 6.0)


def test_a_coloured_map_is_refused(tmp_path):
    add(tmp_path, "7")
    write(tmp_path / "filtered" / "defocus_filterd_7.png", photo(40, 56, 1))
    with pytest.raises(DataError, match=r"defocus_filterd_7\.png: found colours, expected a grey picture"):
        ded.read(ded.find(tmp_path).entries[0], 6.0)


def test_an_eight_bit_map_goes_by_its_own_full_level(tmp_path):
    add(tmp_path, "7")
    write(tmp_path / "filtered" / "defocus_filterd_7.png", np.full((40, 56), 51, np.uint8))
    assert ded.read(ded.find(tmp_path).entries[0], 6.0).defocus == pytest.approx(0.2)


def test_what_lacks_a_partner_or_is_left_over_is_left_out_with_its_name(tmp_path):
    for number in ("1", "2", "3"):
        add(tmp_path, number)
    (tmp_path / "image" / "image_1.jpg").unlink()
    (tmp_path / "filtered" / "defocus_filterd_2.png").unlink()
    write(tmp_path / "image" / "image_99.jpg", photo(40, 56, 5))
    write(tmp_path / "image" / "preview.png", photo(40, 56, 5))
    (tmp_path / "sharp" / ".sharp_4.jpg").write_bytes(b"resource fork")
    (tmp_path / "sharp" / "Thumbs.db").write_bytes(b"thumbs")
    listing = ded.find(tmp_path)
    assert [entry.name for entry in listing.entries] == ["3"]
    found = reasons(listing)
    assert "image/image_1.jpg is missing" in found["sharp_1.jpg"]
    assert "defocus_filterd_2.png is missing" in found["sharp_2.jpg"]
    assert set(found) == {"sharp_1.jpg", "sharp_2.jpg", "image_99.jpg", "preview.png", "Thumbs.db"}
    assert [item.path.name for item in listing.left_out if item.check == "extra"] == ["Thumbs.db"]


def test_two_sharp_pictures_of_one_number_are_not_both_paired_with_one_blurred(tmp_path):
    add(tmp_path, "5", prefix="a")
    write(tmp_path / "sharp" / "b_5.jpg", photo(40, 56, 9))
    listing = ded.find(tmp_path)
    assert [entry.sharp.name for entry in listing.entries] == ["a_5.jpg"]
    assert "number 5 is that of a_5.jpg already" in reasons(listing)["b_5.jpg"]


def test_a_map_of_another_size_is_left_out(tmp_path):
    for number in ("1", "2"):
        add(tmp_path, number)
    write(tmp_path / "filtered" / "defocus_filterd_2.png", ramp(20, 28))
    listing = ded.find(tmp_path)
    assert [entry.name for entry in listing.entries] == ["1"]
    assert "its map is 28×20 (defocus_filterd_2.png)" in reasons(listing)["sharp_2.jpg"]


def test_the_split_goes_by_name_and_stays_when_photos_are_added(tmp_path):
    for number in range(30):
        add(tmp_path, str(number), seed=number)
    before = {entry.name: entry.split for entry in ded.find(tmp_path).entries}
    add(tmp_path, "500")
    after = {entry.name: entry.split for entry in ded.find(tmp_path).entries}
    assert all(after[name] == split == split_of(name) for name, split in before.items())
    assert set(before.values()) == {"train", "validation", "test"}


def test_a_test_folder_without_ground_truth_is_left_out_with_that_reason(tmp_path):
    add(tmp_path, "1")
    write(tmp_path / "test" / "image" / "image_2.jpg", photo(40, 56, 2))
    write(tmp_path / "test" / "image" / "image_3.jpg", photo(40, 56, 3))
    listing = ded.find(tmp_path)
    assert [entry.name for entry in listing.entries] == ["1"]
    assert not listing.faults
    assert reasons(listing) == {"test": "2 pictures without ground truth (no sharp/): nothing to compare with"}


def test_a_test_folder_with_ground_truth_is_for_testing(tmp_path):
    add(tmp_path / "train", "1")
    add(tmp_path / "test", "1", seed=1)
    assert ded.recognises(tmp_path)
    splits = {entry.name: entry.split for entry in ded.find(tmp_path).entries}
    assert splits == {"1": split_of("1"), "test_1": "test"}


def test_a_folder_without_a_scene_says_what_was_expected(tmp_path):
    add(tmp_path, "1")
    (tmp_path / "image" / "image_1.jpg").unlink()
    with pytest.raises(DataError, match=r"no scene of ded here; sharp_1\.jpg: no blurred partner.*Expected:\nsharp/"):
        ded.find(tmp_path)
