"""LFDOF as its authors pack it, nested and flat, and what may be wrong with it."""

import pytest

from sftdec.datasets.importers.layouts import LFDOF
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, write


def write_scene(part, name, nested=True, apertures=(1, 2), foci=(0, 1)):
    sharp = photo(20, 24, 0)
    write(part / "ground_truth" / f"{name}.png", sharp)
    folder = part / "input" / name if nested else part / "input"
    for aperture in apertures:
        for focus in foci:
            write(folder / f"{name}_ap{aperture}_{focus:02d}.png", sharp)


def test_all_blurred_pictures_of_a_photo_share_its_split(tmp_path):
    for number in range(40):
        write_scene(tmp_path / "train_data", f"IMG_{number}", apertures=(1, 3), foci=(4,))
    write_scene(tmp_path / "test_data", "IMG_9000")
    listing = LFDOF.find(tmp_path)
    splits = {}
    for entry in listing.entries:
        assert entry.name.startswith(f"{entry.photo}_ap") and entry.sharp.stem == entry.photo
        splits.setdefault(entry.photo, set()).add(entry.split)
    assert splits.pop("IMG_9000") == {"test"}
    assert all(len(found) == 1 for found in splits.values())
    counted = [found.copy().pop() for found in splits.values()]
    assert set(counted) == {"train", "validation"} and 1 <= counted.count("validation") <= 12
    assert len(listing.entries) == 84 and not listing.left_out


def test_pictures_directly_in_input_are_found_too_and_their_photo_decides_the_split(tmp_path):
    for number in range(40):
        write_scene(tmp_path, f"IMG_{number}", nested=False, apertures=(1,), foci=(0,))
    listing = LFDOF.find(tmp_path)
    assert len(listing.entries) == 40 and {e.split for e in listing.entries} == {"train", "validation", "test"}


def test_a_picture_of_its_photos_own_name_is_a_pair(tmp_path):
    for folder in ("input", "ground_truth"):
        write(tmp_path / folder / "IMG_2162.png", photo(20, 24, 0))
    assert [(e.name, e.photo) for e in LFDOF.find(tmp_path).entries] == [("IMG_2162", "IMG_2162")]


def test_a_scene_is_named_after_its_picture_and_knows_its_photo(tmp_path):
    write_scene(tmp_path / "test_data", "IMG_1")
    scene = LFDOF.read(LFDOF.find(tmp_path).entries[3], 6.0)
    assert (scene.name, scene.photo, scene.split) == ("lfdof/IMG_1_ap2_01", "IMG_1", "test")


def test_blurred_without_sharp_and_sharp_without_blurred_are_left_out(tmp_path):
    write_scene(tmp_path, "IMG_1")
    write_scene(tmp_path, "IMG_2")
    (tmp_path / "ground_truth" / "IMG_2.png").unlink()
    write(tmp_path / "ground_truth" / "IMG_3.png", photo(20, 24, 0))
    listing = LFDOF.find(tmp_path)
    reasons = {item.path.name: item.reason for item in listing.left_out}
    assert len(listing.entries) == 4 and len(reasons) == 5
    assert "no sharp IMG_2 in ground_truth/" in reasons["IMG_2_ap1_00.png"]
    assert "nothing in input/" in reasons["IMG_3.png"]


def test_one_photo_in_training_and_testing_is_refused(tmp_path):
    write_scene(tmp_path / "train_data", "IMG_1")
    write_scene(tmp_path / "test_data", "IMG_1")
    with pytest.raises(DataError, match="IMG_1_ap1_00"):
        LFDOF.find(tmp_path)
