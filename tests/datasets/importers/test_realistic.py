"""Realistic's importer, on small folders in the three layouts that it goes round in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from sftdec.datasets.importers import realistic
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, truncate, write

HEIGHT, WIDTH, MAPPED = 36, 36, 34  # 360×360 photos and 360×340 maps, a tenth as large


def ramp(peak=3.275):
    return np.broadcast_to(np.linspace(0, peak, MAPPED), (HEIGHT, MAPPED)).copy()


def write_map(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        savemat(path, {"blurMap": values})
    return path


def pairs(root, *numbers, blurred="image/0", sharp="GT"):
    """Pairs as layout (a) has them; (b) with other folders."""
    for number in numbers:
        picture = photo(HEIGHT, WIDTH, int(number))
        write(root / sharp / f"sharp_{number}.png", picture)
        write(root / blurred / f"image_{number}.png", soften(picture, 1.5))


def levels(root, *numbers, ending=".npy", peak=3.275):
    """Pictures and maps at three levels of noise, as layout (c) has them."""
    generator = np.random.default_rng(0)
    for number in numbers:
        blurred = soften(photo(HEIGHT, WIDTH, int(number)), 1.5)
        for level in realistic.LEVELS:
            noisy = blurred + float(level) * generator.standard_normal(blurred.shape)
            write(root / "image" / level / f"image_{number}.png", np.uint8(np.clip(np.rint(noisy), 0, 255)))
            write_map(root / "gt" / level / f"image_{number}{ending}", ramp(peak))


def reasons(listing):
    return {item.path.relative_to(listing.folder).as_posix(): item.reason for item in listing.left_out}


@pytest.mark.parametrize(("blurred", "sharp"), [("image/0", "GT"), ("Ground_Truth_Data", "Ground_Truth_Data")])
def test_layouts_a_and_b_give_pairs_whose_map_is_estimated(tmp_path, blurred, sharp):
    pairs(tmp_path, "01", "22", blurred=blurred, sharp=sharp)
    assert realistic.recognises(tmp_path)
    listing = realistic.find(tmp_path)
    assert [(entry.name, entry.photo, entry.split) for entry in listing.entries] == [
        ("01_noise_0", "01", "test"),
        ("22_noise_0", "22", "test"),
    ]
    assert "estimated from each pair" in listing.table()
    scene = realistic.read(listing.entries[0], 6.0)
    np.testing.assert_array_equal(scene.sharp, photo(HEIGHT, WIDTH, 1))
    np.testing.assert_array_equal(scene.blurred, soften(photo(HEIGHT, WIDTH, 1), 1.5))
    assert scene.defocus.shape == (HEIGHT, WIDTH)
    assert 0 < scene.defocus.mean() * 6 < 4


def test_layout_c_gives_a_scene_for_each_picture_and_level_of_noise(tmp_path):
    pairs(tmp_path, "07")
    levels(tmp_path, "07")
    listing = realistic.find(tmp_path)
    assert [(entry.name, entry.photo) for entry in listing.entries] == [
        ("07_noise_0", "07"),
        ("07_noise_1", "07"),
        ("07_noise_1.6", "07"),
    ]
    assert [dict(entry.details)["noise"] for entry in listing.entries] == [0, 1, 1.6]
    assert not listing.left_out
    scenes = [realistic.read(entry, 6.0) for entry in listing.entries]
    assert {scene.split for scene in scenes} == {"test"}
    assert not np.array_equal(scenes[0].blurred, scenes[2].blurred)
    np.testing.assert_array_equal(scenes[0].sharp, scenes[2].sharp)


def test_layout_c_without_sharp_pictures_says_where_to_get_them(tmp_path):
    levels(tmp_path, "07")
    assert realistic.recognises(tmp_path)
    with pytest.raises(DataError, match=r"no sharp picture: put sharp_07\.png \(layouts a, b\) into GT/"):
        realistic.find(tmp_path)


@pytest.mark.parametrize("ending", [".npy", ".mat"])
def test_blurred_and_sharp_are_cropped_on_the_right_to_the_map(tmp_path, ending):
    pairs(tmp_path, "07")
    levels(tmp_path, "07", ending=ending)
    scene = realistic.read(realistic.find(tmp_path).entries[0], 6.0)
    assert scene.blurred.shape == scene.sharp.shape == (HEIGHT, MAPPED, 3)
    np.testing.assert_array_equal(scene.sharp, photo(HEIGHT, WIDTH, 7)[:, :MAPPED])
    np.testing.assert_array_equal(scene.blurred, soften(photo(HEIGHT, WIDTH, 7), 1.5)[:, :MAPPED])
    np.testing.assert_allclose(scene.defocus, ramp() / 6, atol=1e-6)


def test_sigma_beyond_the_published_peak_is_clipped(tmp_path):
    pairs(tmp_path, "07")
    write_map(tmp_path / "gt" / "0" / "image_07.npy", ramp(5.0))
    scene = realistic.read(realistic.find(tmp_path).entries[0], 6.0)
    np.testing.assert_allclose(scene.defocus, np.minimum(ramp(5.0), 3.275) / 6, atol=1e-6)


def test_a_map_fills_the_whole_range_at_its_own_peak(tmp_path):
    pairs(tmp_path, "07")
    levels(tmp_path, "07")
    assert realistic.read(realistic.find(tmp_path).entries[0], 3.275).defocus.max() == 1


def test_mat_maps_beyond_the_peak_are_radii_of_discs_in_every_picture_of_the_folder(tmp_path):
    pairs(tmp_path, "07", "08")
    write_map(tmp_path / "gt" / "0" / "image_07.mat", ramp(6.0))
    write_map(tmp_path / "gt" / "0" / "image_08.mat", np.full((HEIGHT, MAPPED), 3.0))
    listing = realistic.find(tmp_path)
    assert "radii of discs" in listing.table()
    strong, weak = (realistic.read(entry, 6.0).defocus * 6 for entry in listing.entries)
    assert strong.max() == pytest.approx(3.275)
    np.testing.assert_allclose(weak, 1.65, atol=1e-5)


def test_mat_maps_within_the_peak_are_sigma_and_the_table_says_so(tmp_path):
    pairs(tmp_path, "07")
    write_map(tmp_path / "gt" / "0" / "image_07.mat", np.full((HEIGHT, MAPPED), 3.0))
    listing = realistic.find(tmp_path)
    assert "taken as sigma" in listing.table()
    np.testing.assert_allclose(realistic.read(listing.entries[0], 6.0).defocus, 0.5, atol=1e-6)


@given(radius=st.floats(0.5, 6))
def test_the_gaussian_of_a_disc_stays_near_half_its_radius(radius):
    sigma = np.interp(radius, realistic._RADII, realistic._SIGMAS)
    assert 0.5 < sigma / radius < 0.68


def test_a_map_serves_every_level_of_noise_that_has_none_of_its_own(tmp_path):
    pairs(tmp_path, "07")
    levels(tmp_path, "07")
    (tmp_path / "gt" / "1.6" / "image_07.npy").unlink()
    last = realistic.find(tmp_path).entries[2]
    assert last.name == "07_noise_1.6"
    assert last.defocus == tmp_path / "gt" / "0" / "image_07.npy"


def test_the_table_counts_maps_that_are_estimated(tmp_path):
    pairs(tmp_path, "07", "08")
    write_map(tmp_path / "GT" / "blurMap_07.mat", ramp())
    listing = realistic.find(tmp_path)
    assert [entry.defocus is None for entry in listing.entries] == [False, True]
    assert "; 1 estimated" in listing.table()


def test_a_map_beyond_sigma_max_names_scene_peak_and_key(tmp_path):
    pairs(tmp_path, "07")
    levels(tmp_path, "07")
    with pytest.raises(DataError, match=r"realistic/07_noise_0: .* a sigma of 3\.2. px, .*fetch\.sigma_max=2: raise"):
        realistic.read(realistic.find(tmp_path).entries[0], 2.0)


@pytest.mark.parametrize("shape", [(MAPPED, HEIGHT), (HEIGHT, WIDTH // 2), (HEIGHT, WIDTH + 4)])
def test_a_map_of_another_size_is_an_error_that_names_both(tmp_path, shape):
    pairs(tmp_path, "07")
    write_map(tmp_path / "gt" / "0" / "image_07.npy", np.ones(shape))
    with pytest.raises(DataError, match=rf"image_07\.npy: the map is {shape[1]}×{shape[0]} px and its photo 36×36"):
        realistic.read(realistic.find(tmp_path).entries[0], 6.0)


BROKEN = {
    "negative": lambda path: write_map(path, -ramp()),
    "nan": lambda path: write_map(path, np.full((HEIGHT, MAPPED), np.nan)),
    "three axes": lambda path: write_map(path, np.ones((HEIGHT, MAPPED, 3))),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: truncate(write_map(path, ramp()), 0.4),
    "junk": lambda path: path.write_bytes(b"PK\x03\x04 not a map" * 20),
}


@pytest.mark.parametrize("ending", [".npy", ".mat"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_map_is_left_out_by_name_and_the_pair_stays(tmp_path, kind, ending):
    pairs(tmp_path, "07")
    path = tmp_path / "gt" / "0" / f"image_07{ending}"
    path.parent.mkdir(parents=True)
    BROKEN[kind](path)
    listing = realistic.find(tmp_path)
    assert listing.entries[0].defocus is None
    assert f"image_07{ending}: " in reasons(listing)[f"gt/0/image_07{ending}"]


def test_a_mat_file_without_blur_map_says_so(tmp_path):
    pairs(tmp_path, "07")
    (tmp_path / "gt").mkdir()
    savemat(tmp_path / "gt" / "image_07.mat", {"depth": ramp()})
    assert "no variable blurMap" in reasons(realistic.find(tmp_path))["gt/image_07.mat"]


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_in_an_npy_file_is_not_run(tmp_path):
    pairs(tmp_path, "07")
    (tmp_path / "gt").mkdir()
    np.save(tmp_path / "gt" / "image_07.npy", np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    assert "gt/image_07.npy" in reasons(realistic.find(tmp_path))
    assert not (tmp_path / "sprung").exists()


def test_what_cannot_be_paired_is_left_out_with_its_reason(tmp_path):
    pairs(tmp_path, "01")
    picture = photo(HEIGHT, WIDTH, 9)
    write(tmp_path / "image" / "0" / "image_02.png", picture)  # no sharp partner
    write(tmp_path / "GT" / "sharp_03.png", picture)  # no blurred partner
    write(tmp_path / "image" / "0" / "contact.png", picture)  # no number
    write(tmp_path / "image" / "0" / "image_01_noise_1.6.png", picture)  # which number?
    write(tmp_path / "image" / "0" / "copy_1.png", picture)  # the number of another
    write(tmp_path / "GT" / "depth_01.png", picture)
    write_map(tmp_path / "gt" / "0" / "image_04.npy", ramp())
    found = reasons(realistic.find(tmp_path))
    assert "put sharp_02.png" in found["image/0/image_02.png"]
    assert found["GT/sharp_03.png"] == "no blurred picture of number 03"
    assert "expected one number" in found["image/0/contact.png"]
    assert "expected one number" in found["image/0/image_01_noise_1.6.png"]
    assert found["image/0/image_01.png"].startswith("copy_1.png is the blurred one")
    assert found["GT/depth_01.png"] == "neither image_<NN> nor sharp_<NN>"
    assert found["gt/0/image_04.npy"] == "no blurred picture of number 04"
    assert len(found) == 7


def test_a_file_that_is_neither_picture_nor_map_is_named_and_is_no_fault(tmp_path):
    pairs(tmp_path, "01")
    levels(tmp_path, "01", ending=".mat")
    for place in ("image/1.6", "GT", "gt/0"):
        (tmp_path / place / "Thumbs.db").write_bytes(b"thumbs")
    listing = realistic.find(tmp_path)
    assert set(reasons(listing)) == {f"{place}/Thumbs.db" for place in ("image/1.6", "GT", "gt/0")}
    assert not listing.faults and len(listing.entries) == 3


def test_a_folder_of_something_else_is_not_recognised(tmp_path):
    write(tmp_path / "image" / "a.png", photo(20, 20, 0))
    write(tmp_path / "gt" / "a.png", photo(20, 20, 0))
    assert not realistic.recognises(tmp_path)
    assert not realistic.recognises(tmp_path / "nowhere")
