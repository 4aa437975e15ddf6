"""SYNDOF's importer, on small folders in the layouts of its generator and of DMENet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftdec.datasets.importers import syndof
from sftdec.datasets.listing import split_of
from sftdec.datasets.recognise import check_folder
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, truncate, write

LENS = "_f_50_fp_0_51_A_3_2"
HEIGHT, WIDTH = 40, 56


def stored(peak, height=HEIGHT, width=WIDTH):
    """A map as the generator writes it: tenths, 16 bits, three equal channels."""
    row = np.linspace(0, peak, width)
    return np.repeat(np.broadcast_to(np.uint16(np.rint(10 * row)), (height, width))[..., None], 3, axis=2)


def sigma(peak):
    return np.rint(10 * np.linspace(0, peak, WIDTH)) / 10


def add(root, original="market_2/frame_0001", family="MPI", peak=7.0, seed=0, lens=LENS, maps="blur_map"):
    """A rendering, its map and its sharp original, under the names of the generator."""
    sharp = photo(HEIGHT, WIDTH, seed)
    label = "MIDDLEBURRY" if family == "middleburry" else family
    parent, name = original.rsplit("/", 1)
    stem = f"{label}_{parent.rsplit('/', 1)[-1]}_{name}{lens}"
    write(root / "synthetic_datasets" / "image" / family / f"{original}.png", sharp)
    write(root / "image" / f"{stem}.png", soften(sharp, 2))
    write(root / maps / f"{stem}.png", stored(peak))
    return stem


def reasons(listing):
    return {item.path.relative_to(listing.folder).as_posix(): item.reason for item in listing.left_out}


@pytest.mark.parametrize(
    ("family", "original"),
    [
        ("MPI", "market_2/frame_0001"),
        ("SYNTHIA", "SYNTHIA-SEQS-01-NIGHT/Stereo_Right/Omni_F/000000"),
        ("middleburry", "2014/Adirondack-perfect/im0"),
    ],
)
def test_image_is_the_blurred_one_and_the_sharp_one_is_the_generators_input(tmp_path, family, original):
    add(tmp_path, original, family)
    assert syndof.recognises(tmp_path)
    listing = syndof.find(tmp_path)
    assert not listing.left_out
    scene = syndof.read(listing.entries[0], 7.0)
    np.testing.assert_array_equal(scene.sharp, photo(HEIGHT, WIDTH, 0))
    np.testing.assert_array_equal(scene.blurred, soften(photo(HEIGHT, WIDTH, 0), 2))


def test_a_sharp_folder_serves_in_place_of_the_generators_input(tmp_path):
    write(tmp_path / "image" / "0001.png", soften(photo(HEIGHT, WIDTH, 1), 2))
    write(tmp_path / "blur_map" / "0001.png", stored(7.0))
    write(tmp_path / "sharp" / "0001.JPG", photo(HEIGHT, WIDTH, 1))
    (entry,) = syndof.find(tmp_path).entries
    assert (entry.name, entry.sharp.name) == ("0001", "0001.JPG")


def test_renderings_without_their_originals_say_where_these_come_from(tmp_path):
    stem = add(tmp_path)
    (tmp_path / "synthetic_datasets" / "image" / "MPI" / "market_2" / "frame_0001.png").unlink()
    with pytest.raises(DataError, match=rf"{stem}.*image/ holds the blurred renderings.*synthetic_datasets/"):
        syndof.find(tmp_path)


def test_originals_of_one_name_are_not_guessed_between(tmp_path):
    add(tmp_path, "SEQS-01/Omni_F/000000", "SYNTHIA")
    write(tmp_path / "synthetic_datasets/image/SYNTHIA/SEQS-02/Omni_F/000000.png", photo(HEIGHT, WIDTH, 5))
    with pytest.raises(DataError, match="2 originals go by that name"):
        syndof.find(tmp_path)


def test_newly_generated_maps_are_sigma_in_tenths(tmp_path):
    add(tmp_path)
    listing = syndof.find(tmp_path)
    assert dict(listing.entries[0].details) == {"unit": "sigma"}
    assert "newly generated" in listing.table()
    scene = syndof.read(listing.entries[0], 8.0)
    np.testing.assert_allclose(scene.defocus[0] * 8, sigma(7.0), atol=1e-5)


def test_maps_of_the_shared_original_are_coc_and_become_sigma(tmp_path):
    add(tmp_path, peak=15.0)
    add(tmp_path, "market_2/frame_0002", peak=5.0, seed=1)
    listing = syndof.find(tmp_path)
    assert {dict(entry.details)["unit"] for entry in listing.entries} == {"coc"}
    assert "(CoC - 1) / 2" in listing.table()
    strong, weak = (syndof.read(entry, 7.0).defocus[0] * 7 for entry in listing.entries)
    assert strong.max() == pytest.approx(7)
    np.testing.assert_allclose(weak, np.maximum(sigma(5.0) - 1, 0) / 2, atol=1e-5)


def test_a_map_that_the_folders_unit_cannot_hold_is_an_error(tmp_path):
    add(tmp_path, peak=30.0)
    with pytest.raises(DataError, match=r"the map reaches 30, but the folder's maps were taken for coc, at most 15"):
        syndof.read(syndof.find(tmp_path).entries[0], 30.0)


def test_a_map_beyond_sigma_max_names_scene_peak_and_key(tmp_path):
    stem = add(tmp_path)
    told = rf"syndof/{stem}: a sigma of 7\.00 px, .*fetch\.sigma_max=6; the set's maps reach 7 px: set that to 7"
    with pytest.raises(DataError, match=told):
        syndof.read(syndof.find(tmp_path).entries[0], 6.0)


def test_a_check_says_what_sigma_max_its_maps_need(tmp_path):
    add(tmp_path, peak=3.0)
    needed = "syndof's maps reach 7 px of sigma, above fetch.sigma_max=6: set that to 7"
    assert needed in check_folder(tmp_path).text() and needed not in check_folder(tmp_path, 7.0).text()


@given(peak=st.floats(0, 15))
def test_the_sigma_of_a_coc_is_never_negative_nor_beyond_seven(peak, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("maps") / "a.png", stored(peak, 2, 5))
    found = syndof._sigma(path, "coc")
    assert found.min() >= 0 and found.max() <= 7


def test_grey_and_eight_bit_maps_in_blur_map_are_in_tenths_too(tmp_path):
    stem = add(tmp_path)
    for levels in (stored(7.0)[..., 0], np.uint8(stored(7.0)), np.uint8(stored(7.0)[..., 0])):
        write(tmp_path / "blur_map" / f"{stem}.png", levels)
        scene = syndof.read(syndof.find(tmp_path).entries[0], 7.0)
        np.testing.assert_allclose(scene.defocus[0] * 7, sigma(7.0), atol=1e-5)


def test_eight_bit_grey_maps_in_gt_are_shares_of_coc_15(tmp_path):
    stem = add(tmp_path / "test", maps="gt")
    row = np.uint8(np.linspace(0, 255, WIDTH))
    write(tmp_path / "test" / "gt" / f"{stem}.png", np.broadcast_to(row, (HEIGHT, WIDTH)))
    write(tmp_path / "test" / "sharp" / f"{stem}.png", photo(HEIGHT, WIDTH, 0))
    scene = syndof.read(syndof.find(tmp_path).entries[0], 7.0)
    np.testing.assert_allclose(scene.defocus[0] * 7, np.maximum(row / 17 - 1, 0) / 2, atol=1e-5)


def test_dmenets_archive_is_found_and_its_test_set_is_the_only_one(tmp_path):
    names = [f"scene{number}" for number in range(20)]
    assert "test" in {split_of(name) for name in names if name != "scene3"}
    for number, name in enumerate(names):
        write(tmp_path / "train/SYNDOF/image" / f"{name}.png", soften(photo(HEIGHT, WIDTH, number), 2))
        write(tmp_path / "train/SYNDOF/sharp" / f"{name}.png", photo(HEIGHT, WIDTH, number))
        write(tmp_path / "train/SYNDOF/blur_map" / f"{name}.png", stored(15.0))
    for name in ("scene3", "only_here"):
        write(tmp_path / "test/SYNDOF/image" / f"{name}.png", soften(photo(HEIGHT, WIDTH, 3), 2))
        write(tmp_path / "test/SYNDOF/sharp" / f"{name}.png", photo(HEIGHT, WIDTH, 3))
        write(tmp_path / "test/SYNDOF/gt" / f"{name}.png", stored(15.0))
    assert syndof.recognises(tmp_path)
    listing = syndof.find(tmp_path)
    assert [entry.name for entry in listing.entries if entry.split == "test"] == ["test_only_here", "test_scene3"]
    assert "scene3 is in the test set" in reasons(listing)["train/SYNDOF/image/scene3.png"]
    assert len(listing.entries) == 21 and not listing.faults  # as its authors pack it, and nothing wrong with it


def test_without_a_test_set_the_split_goes_by_what_was_photographed(tmp_path):
    for number in range(25):
        for lens in (LENS, "_f_85_fp_0_9_A_11"):
            add(tmp_path, f"film_{number}/frame_0001", lens=lens)
            add(tmp_path, f"film_{number}/frame_0002", lens=lens)
    listing = syndof.find(tmp_path)
    assert len(listing.entries) == 100
    assert {entry.photo for entry in listing.entries} == {f"MPI_film_{number}" for number in range(25)}
    assert all(entry.split == split_of(entry.photo) for entry in listing.entries)
    assert {entry.split for entry in listing.entries} == {"train", "validation", "test"}


def test_what_lacks_a_partner_differs_in_size_or_is_empty_is_left_out_with_its_name(tmp_path):
    stems = [add(tmp_path, f"film/frame_{number:04d}", seed=number) for number in range(7)]
    (tmp_path / "blur_map" / f"{stems[0]}.png").unlink()
    (tmp_path / "image" / f"{stems[1]}.png").unlink()
    write(tmp_path / "blur_map" / f"{stems[2]}.png", stored(7.0, 20, 28))
    write(tmp_path / "synthetic_datasets/image/MPI/film/frame_0003.png", photo(20, 28, 3))
    (tmp_path / "blur_map" / f"{stems[4]}.png").write_bytes(b"")
    (tmp_path / "image" / f"{stems[5]}.png").write_bytes(b"")
    write(tmp_path / "image" / f"{stems[6]}.tif", photo(HEIGHT, WIDTH, 3))
    listing = syndof.find(tmp_path)
    assert [entry.name for entry in listing.entries] == [stems[6]]
    found = reasons(listing)
    assert found[f"image/{stems[0]}.png"] == "no map of that name"
    assert found[f"blur_map/{stems[1]}.png"] == "a map without its picture"
    assert "its map is 28×20" in found[f"image/{stems[2]}.png"]
    assert "frame_0003.png is 28×20" in found[f"image/{stems[3]}.png"]
    assert "an empty file" in found[f"image/{stems[4]}.png"]
    assert "an empty file" in found[f"image/{stems[5]}.png"]
    assert found[f"image/{stems[6]}.tif"] == "a second picture of that name"
    assert len(found) == 7


def test_a_truncated_map_is_refused_by_name(tmp_path):
    path = truncate(tmp_path / "blur_map" / f"{add(tmp_path)}.png")
    with pytest.raises(DataError, match=rf"{path.name}.*cut short"):
        syndof.read(syndof.find(tmp_path).entries[0], 7.0)


def test_a_folder_of_something_else_is_not_recognised(tmp_path):
    write(tmp_path / "image" / "a.png", photo(20, 20, 0))
    assert not syndof.recognises(tmp_path)
    assert not syndof.recognises(tmp_path / "nowhere")
