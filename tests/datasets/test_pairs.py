"""Pairs that models are judged on: each blurred picture with its own sharp one, or named."""

import numpy as np
import pytest

from sftdec.datasets import find_pairs, read_pairs
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, write


def put(root, inputs=(), truths=()):
    for folder, names in (("input", inputs), ("ground_truth", truths)):
        for name in names:
            write(root / folder / name, photo(16, 20, len(name)))
    return root


def found(root):
    return [(pair.name, pair.sharp.name, pair.photo) for pair in find_pairs(root)]


def test_an_input_belongs_to_the_longest_name_that_its_own_begins_with(tmp_path):
    put(tmp_path, ["a_1_f2.png", "a_f2.jpg", "a.png", "b-2.png"], ["a.png", "a_1.tif", "b.png", "lonely.png"])
    assert found(tmp_path) == [
        ("a", "a.png", "a"),
        ("a_1_f2", "a_1.tif", "a_1"),
        ("a_f2", "a.png", "a"),
        ("b-2", "b.png", "b"),
    ]


def test_no_number_goes_on_with_anothers_digits(tmp_path):
    put(tmp_path, ["1.png", "10.png"], ["1.png", "10.png"])
    assert found(tmp_path) == [("1", "1.png", "1"), ("10", "10.png", "10")]
    (tmp_path / "ground_truth" / "10.png").unlink()
    with pytest.raises(DataError, match=r"input/10\.png: no sharp 10 in ground_truth/; add what is missing"):
        find_pairs(tmp_path)


@pytest.mark.parametrize("other", ["IMG_1.png", "IMG.png"])
def test_a_refocused_picture_without_its_own_truth_is_named_and_not_given_anothers(tmp_path, other):
    put(tmp_path, ["IMG_12_ap1_00.png"], ["IMG_12.png", other])
    assert found(tmp_path) == [("IMG_12_ap1_00", "IMG_12.png", "IMG_12")]
    put(tmp_path, [f"{other.removesuffix('.png')}_ap1_00.png"])
    (tmp_path / "ground_truth" / "IMG_12.png").unlink()
    with pytest.raises(DataError, match=r"IMG_12_ap1_00\.png: no sharp IMG_12 in ground_truth/"):
        find_pairs(tmp_path)


def test_every_layout_of_pairs_is_read_and_its_rule_holds(tmp_path):
    for seed, (blurred, sharp) in enumerate([(890, 891), (1500, 1499)]):
        write(tmp_path / "test_c" / "source" / f"1P0A{blurred:04d}.png", photo(16, 20, seed))
        write(tmp_path / "test_c" / "target" / f"1P0A{sharp:04d}.png", photo(16, 20, seed))
    assert [sharp for _, sharp, _ in found(tmp_path)] == ["1P0A0891.png", "1P0A1499.png"]
    for part in ("blurred", "sharp"):
        write(tmp_path / "own" / part / "x.png", photo(16, 20, 0))
    assert found(tmp_path / "own") == [("x", "x.png", "x")]


def test_pairs_are_scenes_for_testing_without_maps(tmp_path):
    put(tmp_path, ["a_1.png", "a_2.png"], ["a.png"])
    scenes = list(read_pairs("real", find_pairs(tmp_path)))
    assert [(each.name, each.dataset, each.photo, each.split) for each in scenes] == [
        ("real/a_1", "real", "a", "test"),
        ("real/a_2", "real", "a", "test"),
    ]
    assert not scenes[0].defocus.any() and np.array_equal(scenes[1].sharp, photo(16, 20, 5))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "found no pair; expected pictures in input/"),
        (["out_of_focus1.jpg"], "found no pair; expected pictures in input/"),
        (["input/a.png", "ground_truth/b.png"], r"no scene of lfdof here; a\.png: no sharp a in ground_truth/"),
    ],
)
def test_a_folder_without_a_pair_is_named(tmp_path, names, said):
    for name in names:
        write(tmp_path / name, photo(16, 20, 0))
    with pytest.raises(DataError, match=f"{tmp_path}: {said}"):
        find_pairs(tmp_path)


def test_a_pair_of_two_sizes_is_refused_by_name(tmp_path):
    put(tmp_path, ["a.png", "b.png"], ["a.png"])
    write(tmp_path / "ground_truth" / "b.png", photo(16, 24, 0))
    with pytest.raises(DataError, match=r"input/b\.png: 20×16 px, but b\.png is 24×16: a pair has one size"):
        find_pairs(tmp_path)


def test_in_one_folder_for_both_sides_nothing_may_lack_its_other_side(tmp_path):
    for name in ("a_blur.png", "a_sharp.png", "b_blur.png", "b_sharp.png"):
        write(tmp_path / name, photo(16, 20, len(name)))
    assert len(found(tmp_path)) == 2
    (tmp_path / "b_sharp.png").unlink()
    with pytest.raises(DataError, match=r"b_blur\.png: .*add what is missing"):
        find_pairs(tmp_path)
