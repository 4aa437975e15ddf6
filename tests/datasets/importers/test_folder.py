"""Folders of one's own: pairs with and without maps, and what may be wrong with them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.datasets.importers.layouts import FOLDER
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, truncate, write


def triplets(root, names=("a", "b", "c"), maps=True):
    for seed, name in enumerate(names):
        for part in ("blurred", "sharp"):
            write(root / part / f"{name}.png", photo(20, 24, seed))
        if maps:
            write(root / "defocus" / f"{name}.png", np.full((20, 24), 32768, np.uint16))
    return root


def reasons(listing):
    return {item.path.relative_to(listing.folder).as_posix(): item.reason for item in listing.left_out}


def test_a_map_is_read_with_its_full_level_as_sigma_max(tmp_path):
    listing = FOLDER.find(triplets(tmp_path / "mine"))
    scene = FOLDER.read(listing.entries[1], 6.0)
    assert (scene.name, scene.dataset, scene.photo, scene.sigma_max) == ("mine/b", "mine", "b", 6.0)
    assert np.allclose(scene.defocus, 0.5, atol=1e-4) and np.array_equal(scene.sharp, photo(20, 24, 1))
    assert "full level is fetch.sigma_max" in listing.table() and listing.about.name == "mine"


def test_an_8_bit_map_is_read_too(tmp_path):
    root = triplets(tmp_path / "mine", ["a"])
    write(root / "defocus" / "a.png", np.full((20, 24), 51, np.uint8))
    assert np.allclose(FOLDER.read(FOLDER.find(root).entries[0], 6.0).defocus, 0.2)


def test_without_maps_they_are_estimated(tmp_path):
    listing = FOLDER.find(triplets(tmp_path / "mine", maps=False))
    assert "estimated from each pair" in listing.table()
    scene = FOLDER.read(listing.entries[0], 6.0)
    assert scene.dataset == "mine" and scene.defocus.shape == (20, 24)


def test_the_split_of_a_photo_depends_on_its_name_alone(tmp_path):
    names = [f"p{number}" for number in range(60)]
    splits = {e.name: e.split for e in FOLDER.find(triplets(tmp_path / "mine", names, maps=False)).entries}
    assert set(splits.values()) == {"train", "validation", "test"}
    few = {e.name: e.split for e in FOLDER.find(triplets(tmp_path / "few", names[:9])).entries}
    assert len(few) == 9 and all(splits[name] == split for name, split in few.items())


def test_a_missing_partner_stops_nothing_and_is_named(tmp_path):
    root = triplets(tmp_path / "mine")
    (root / "sharp" / "a.png").unlink()
    (root / "defocus" / "b.png").unlink()
    listing = FOLDER.find(root)
    assert [e.name for e in listing.entries] == ["c"]
    found = reasons(listing)
    assert set(found) == {"blurred/a.png", "defocus/a.png", "blurred/b.png", "sharp/b.png"}
    assert "no partner of this name in sharp/" in found["blurred/a.png"]
    assert "no partner of this name in defocus/" in found["sharp/b.png"]


def test_a_map_of_another_size_or_that_is_no_picture_is_left_out(tmp_path):
    root = triplets(tmp_path / "mine")
    write(root / "defocus" / "a.png", np.zeros((20, 20), np.uint16))
    (root / "defocus" / "b.png").write_bytes(b"")
    listing = FOLDER.find(root)
    assert [e.name for e in listing.entries] == ["c"]
    assert "24×20 px, but its map is 20×20 (a.png)" in reasons(listing)["blurred/a.png"]
    assert "defocus/b.png: found an empty file" in reasons(listing)["blurred/b.png"]


def test_an_unreadable_photo_with_a_map_is_named_once(tmp_path):
    root = triplets(tmp_path / "mine")
    (root / "blurred" / "a.png").write_bytes(b"")
    assert list(reasons(FOLDER.find(root))) == ["blurred/a.png"]


def test_a_map_in_colour_or_cut_short_is_refused_by_name(tmp_path):
    root = triplets(tmp_path / "mine", ["a"])
    write(root / "defocus" / "a.png", photo(20, 24, 0))
    with pytest.raises(DataError, match=r"defocus.a\.png.*grey"):
        FOLDER.read(FOLDER.find(root).entries[0], 6.0)
    write(root / "defocus" / "a.png", np.random.default_rng(0).integers(0, 65536, (20, 24), np.uint16))
    truncate(root / "defocus" / "a.png")
    with pytest.raises(DataError, match=r"a\.png"):  # by its header, or when it is read
        FOLDER.read(FOLDER.find(root).entries[0], 6.0)


def test_a_link_to_a_folder_gives_its_own_name_to_the_data_set(tmp_path):
    (tmp_path / "link").symlink_to(triplets(tmp_path / "mine", ["a"]))
    assert FOLDER.read(FOLDER.find(tmp_path / "link").entries[0], 6.0).name == "link/a"


def test_reasons_name_files_as_the_folder_was_named_so_that_they_are_the_same_everywhere(tmp_path, monkeypatch):
    root = triplets(tmp_path / "data" / "mine")
    (root / "blurred" / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    (item,) = FOLDER.find(Path("data/mine")).left_out
    assert item.reason.startswith("data/mine/blurred/a.png: ")
    monkeypatch.chdir(root)
    assert FOLDER.find(Path(".")).about.name == "mine"


def test_a_folder_is_recognised_by_its_parts_and_one_without_scenes_says_what_is_expected(tmp_path):
    root = triplets(tmp_path / "mine", ["a"])
    assert FOLDER.recognises(root) and not FOLDER.recognises(tmp_path)
    (root / "sharp" / "a.png").unlink()
    with pytest.raises(DataError, match=r"(?s)mine.*no partner.*blurred/NAME\.png"):
        FOLDER.find(root)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text("ab 0_.é-", min_size=1, max_size=6).filter(lambda name: name.strip(". ") == name),
        st.tuples(st.booleans(), st.booleans(), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_every_file_is_in_a_scene_or_left_out(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("any")
    files = set()
    for part in ("blurred", "sharp", "defocus"):
        (root / part).mkdir()
    for name, parts in names.items():
        for part, there in zip(("blurred", "sharp", "defocus"), parts, strict=True):
            if there:
                levels = np.zeros((4, 5), np.uint16) if part == "defocus" else photo(4, 5, 0)
                files.add(write(root / part / f"{name}.png", levels))
    if not any(all(parts) for parts in names.values()):
        with pytest.raises(DataError, match="no scene"):
            FOLDER.find(root)
        return
    listing = FOLDER.find(root)
    assert {e.name for e in listing.entries} == {name for name, parts in names.items() if all(parts)}
    used = {path for e in listing.entries for path in (e.blurred, e.sharp, e.defocus)}
    assert used | {item.path for item in listing.left_out} == files
    assert not used & {item.path for item in listing.left_out}
