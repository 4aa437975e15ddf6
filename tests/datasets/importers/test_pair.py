"""What the importers of pairs share."""

import time
import unicodedata

import numpy as np
import pytest

from sftdec.datasets.importers.pair import by_name, other_files, read_pair, scene_of_sigma
from sftdec.datasets.listing import Entry
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, write


def entry(tmp_path, blurred, sharp):
    paths = [write(tmp_path / f"{role}.png", levels) for role, levels in (("blurred", blurred), ("sharp", sharp))]
    return Entry("a", "a", "test", *paths)


def test_equal_names_are_matched_whatever_their_endings(tmp_path):
    left, right = tmp_path / "left", tmp_path / "right"
    for path in (left / "a.JPG", right / "a.png", left / "b.png", right / "b.PNG", left / ".hidden.png"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    matched, left_out = by_name([left, right])
    assert [(name, [path.name for path in files]) for name, files in matched] == [
        ("a", ["a.JPG", "a.png"]),
        ("b", ["b.png", "b.PNG"]),
    ]
    assert not left_out


def test_a_name_that_a_folder_has_twice_is_left_out_with_its_partner(tmp_path):
    left, right = tmp_path / "left", tmp_path / "right"
    for path in (left / "a.jpg", left / "a.png", right / "a.png"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    matched, left_out = by_name([left, right])
    assert not matched and len(left_out) == 3 and all("a.jpg and a.png: keep one" in i.reason for i in left_out)


def test_a_folder_that_is_not_there_has_no_pictures(tmp_path):
    write(tmp_path / "left" / "a.png", photo(8, 8, 0))
    matched, left_out = by_name([tmp_path / "left", tmp_path / "right"])
    assert not matched and "no partner of this name in right/" in left_out[0].reason


def test_the_estimated_map_follows_the_blur_in_units_of_sigma_max(tmp_path):
    sharp = np.kron(np.random.default_rng(0).integers(0, 2, (32, 32, 1)), np.ones((3, 3, 3))) * 255
    sharp = sharp.astype(np.uint8)
    means = [read_pair("set", entry(tmp_path, soften(sharp, sigma), sharp), 4.0).defocus.mean() for sigma in (1, 2)]
    assert 0.1 < means[0] < 0.4 and means[0] + 0.1 < means[1] < 0.65


def test_a_pair_of_two_sizes_or_without_a_sharp_photo_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"blurred\.png: 24×20 px, but .*sharp\.png is 24×18"):
        read_pair("set", entry(tmp_path, photo(20, 24, 0), photo(18, 24, 0)), 4.0)
    with pytest.raises(DataError, match=r"blurred\.png: there is no sharp photo"):
        read_pair("set", Entry("a", "a", "test", tmp_path / "blurred.png", None), 4.0)


def test_a_sigma_above_sigma_max_names_the_scene_its_peak_and_the_key(tmp_path):
    pair = photo(20, 24, 0), photo(20, 24, 0)
    sigma = np.full((20, 24), 1.0, np.float32)
    sigma[3, 4] = 5.23
    with pytest.raises(DataError, match=r"set/a: .* 5\.23 px, above fetch\.sigma_max=4: raise that to 5\.3"):
        scene_of_sigma("set", Entry("a", "a", "test", tmp_path, None), pair, sigma, 4.0)
    assert scene_of_sigma("set", Entry("a", "a", "test", tmp_path, None), pair, sigma, 5.23).defocus.max() == 1


def touched(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_name_is_the_same_in_both_of_unicodes_forms(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Übung é") for form in ("NFC", "NFD"))
    assert composed != apart
    folders = [touched(tmp_path / "left", f"{apart}.jpg"), touched(tmp_path / "right", f"{composed}.png")]
    ((name, files),), left_out = by_name(folders)
    assert name == composed and [path.stem for path in files] == [apart, composed] and not left_out
    touched(folders[0], f"{composed}.png")
    matched, left_out = by_name(folders)
    assert not matched and len(left_out) == 3 and "keep one of them" in left_out[0].reason


def test_many_names_take_time_in_proportion(tmp_path):
    folders = [touched(tmp_path / side, *(f"{number}.png" for number in range(3000))) for side in ("left", "right")]
    start = time.process_time()
    assert len(by_name(folders)[0]) == 3000
    assert time.process_time() - start < 4  # 20 s where each name was looked for among all


def test_what_both_sides_have_and_is_not_read_is_a_fault_and_sidecars_are_a_line_an_ending(tmp_path):
    for side in ("blurred", "sharp"):
        raw = [f"IMG_{number}.NEF" for number in range(3)]
        touched(tmp_path / side, "a.png", "a.nef", "anim.gif", "Thumbs.db", "a.xmp", "b.xmp", "c.xmp", *raw)
    left_out = other_files(tmp_path / "blurred", tmp_path / "sharp")
    faults = {item.path.name: item.reason for item in left_out if item.check != "extra"}
    assert set(faults) == {"IMG_0.NEF", "IMG_1.NEF", "IMG_2.NEF", "anim.gif"}  # a.nef has its pair beside it
    assert "blurred/IMG_0.NEF and its partner: a camera's raw file: develop it first" in faults["IMG_0.NEF"]
    assert ".gif isn't read: convert it" in faults["anim.gif"]
    lines = [f"{item.path.parent.name}/{item.path.name}: {item.reason}" for item in left_out if item.check == "extra"]
    assert "blurred/a.xmp: no picture that is read; 3 files end in .xmp" in lines
    assert len(lines) == 6  # what is a fault is told once


def test_raw_on_one_side_only_is_a_sidecar(tmp_path):
    touched(tmp_path / "blurred", "a.jpg", "a.cr2")
    touched(tmp_path / "sharp", "a.jpg")
    assert all(item.check == "extra" for item in other_files(tmp_path / "blurred", tmp_path / "sharp"))
