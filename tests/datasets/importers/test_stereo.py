"""Photos with a disparity, as Middlebury and others pack them, and what may be wrong with them."""

import numpy as np
import pytest

from sftdec.datasets.importers import stereo
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, truncate, write

SIZE = (48, 64)


def steps(size=SIZE, levels=(40, 90, 160)):
    """A disparity of vertical sheets, uint8 H×W, with a hole of unknown values."""
    disparity = np.repeat(np.array(levels, np.uint8), -(-size[1] // len(levels)))[: size[1]]
    disparity = np.tile(disparity, (size[0], 1))
    disparity[:4, :6] = 0
    return disparity


def write_pfm(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"Pf\n{values.shape[1]} {values.shape[0]}\n-1\n".encode()
    path.write_bytes(head + values[::-1].astype("<f4").tobytes())


def write_scene(folder, view="view1.png", disparity="disp1.png", seed=0):
    write(folder / view, photo(*SIZE, seed))
    write(folder / disparity, steps())


def reasons(listing):
    return {item.path.relative_to(listing.folder).as_posix(): item.reason for item in listing.left_out}


def test_each_years_names_are_found_and_each_photo_is_rendered_three_times(tmp_path):
    write_scene(tmp_path / "Aloe", "view1.JPG", "disp1.png")
    write(tmp_path / "Aloe" / "view5.png", photo(*SIZE, 1))  # the right view is not used
    write_scene(tmp_path / "Cones", "im2.png", "disp2.PNG")
    write(tmp_path / "Pipes" / "im0.png", photo(*SIZE, 2))
    write_pfm(tmp_path / "Pipes" / "disp0.pfm", steps())
    write_scene(tmp_path, "desk_view.png", "desk_disp.png")
    listing = stereo.find(tmp_path)
    names = ["Aloe", "Cones", "Pipes", "desk"]
    assert [e.name for e in listing.entries] == [f"{name}_{number}" for name in names for number in range(3)]
    for name in names:
        assert len({e.split for e in listing.entries if e.photo == name}) == 1
    assert stereo.recognises(tmp_path) and not listing.left_out and listing.sizes == ((SIZE, 12),)


def test_a_rendering_is_the_same_each_time_and_unlike_the_others(tmp_path):
    write_scene(tmp_path / "Aloe")
    write_scene(tmp_path / "Copy")
    entries = stereo.find(tmp_path).entries
    first, again, other, copied = (stereo.read(entries[number], 6.0) for number in (0, 0, 1, 3))
    assert np.array_equal(first.sharp, copied.sharp) and not np.array_equal(first.defocus, copied.defocus)
    assert np.array_equal(first.blurred, again.blurred) and np.array_equal(first.defocus, again.defocus)
    assert not np.array_equal(first.defocus, other.defocus)
    assert (first.name, first.dataset, first.photo) == ("stereo/Aloe_0", "stereo", "Aloe")


def test_the_focus_goes_from_far_to_near_and_blur_is_where_the_map_says(tmp_path):
    write_scene(tmp_path / "Aloe")
    sharpest = []
    for entry in stereo.find(tmp_path).entries:
        scene = stereo.read(entry, 6.0)
        columns = scene.defocus[10].reshape(-1)
        sharpest.append(int(np.argmin(columns)) // 22)  # which of the three sheets
        change = np.abs(scene.blurred.astype(int) - scene.sharp).mean(axis=2)
        assert change[scene.defocus == scene.defocus.max()].mean() > 2 * change[scene.defocus < 0.02].mean()
    assert sharpest == [0, 1, 2]


@pytest.mark.parametrize("sigma_max", [0.3, 1.0, 2.3, 6.0, 20.0])
def test_blur_keeps_within_sigma_max_and_a_radius_of_12_px(tmp_path, sigma_max):
    write_scene(tmp_path / "Aloe")
    for entry in stereo.find(tmp_path).entries:
        scene = stereo.read(entry, sigma_max)
        radius = scene.defocus * sigma_max * 2
        assert 0 < radius.max() <= min(12, 2 * sigma_max) + 1e-5
        assert np.allclose(radius * 2, np.rint(radius * 2), atol=1e-4)  # the map is of the layers that were rendered


def test_a_sigma_max_that_allows_no_blur_is_refused(tmp_path):
    write_scene(tmp_path / "Aloe")
    with pytest.raises(DataError, match=r"Aloe_0.*fetch\.sigma_max=0\.1.*0\.25"):
        stereo.read(stereo.find(tmp_path).entries[0], 0.1)


def test_the_unit_of_the_disparity_does_not_matter(tmp_path):
    write_scene(tmp_path / "grey" / "Aloe")
    write(tmp_path / "pfm" / "Aloe" / "view1.png", photo(*SIZE, 0))
    values = steps().astype(np.float32) / 3
    write_pfm(tmp_path / "pfm" / "Aloe" / "disp1.pfm", np.where(values == 0, np.inf, values))
    write(tmp_path / "deep" / "Aloe" / "view1.png", photo(*SIZE, 0))
    write(tmp_path / "deep" / "Aloe" / "disp1.png", np.uint16(steps()) * 256)
    maps = [stereo.read(stereo.find(tmp_path / kind).entries[1], 6.0).defocus for kind in ("grey", "pfm", "deep")]
    assert np.array_equal(maps[0], maps[1]) and np.array_equal(maps[0], maps[2]) and maps[0].max() > 0.1


def test_what_is_unknown_takes_the_nearest_known_disparity(tmp_path):
    write_scene(tmp_path / "Aloe")
    defocus = stereo.read(stereo.find(tmp_path).entries[2], 6.0).defocus
    assert np.all(defocus[:4, :6] == defocus[10, 0])


def test_a_large_photo_is_shrunk_with_its_disparity(tmp_path, monkeypatch):
    monkeypatch.setattr(stereo, "LONGEST_SIDE", 32)
    write_scene(tmp_path / "Aloe")
    scene = stereo.read(stereo.find(tmp_path).entries[0], 6.0)
    assert scene.sharp.shape == (24, 32, 3) and len(np.unique(scene.defocus)) == 3


def test_grey_alpha_16_bit_and_turned_photos_are_read_as_they_are_to_be_seen(tmp_path):
    upright = photo(*SIZE, 3)
    write(tmp_path / "grey" / "view1.png", upright[..., 1])
    write(tmp_path / "alpha" / "view1.png", np.dstack([upright, np.full(SIZE, 9, np.uint8)]))
    write(tmp_path / "deep" / "view1.PNG", np.uint16(upright) * 257)
    write(tmp_path / "turned" / "view1.jpeg", upright, exif_orientation=6)
    for name in ("grey", "alpha", "deep", "turned"):
        write(tmp_path / name / "disp1.png", steps())
    listing = stereo.find(tmp_path)
    assert len(listing.entries) == 12 and dict(listing.bits) == {8: 9, 16: 3}
    for entry in listing.entries[::3]:
        expected = upright[..., 1:2] if entry.photo == "grey" else upright
        found = stereo.read(entry, 6.0).sharp.astype(int)
        assert np.abs(found - expected).mean() < (2 if entry.photo == "turned" else 0.01), entry.photo


def test_a_scene_that_can_not_be_used_is_left_out_by_name(tmp_path):
    write_scene(tmp_path / "good")
    (tmp_path / "good" / "readme.txt").write_text("extra files of a scene are no fault")
    write(tmp_path / "lonely" / "view1.png", photo(*SIZE, 0))
    write_scene(tmp_path, "odd_view.png", "none.png")
    for name in ("small", "empty", "flat", "unknown", "colour", "cut", "blank"):
        write_scene(tmp_path / name)
    write(tmp_path / "small" / "disp1.png", steps((40, 64)))
    (tmp_path / "empty" / "disp1.png").write_bytes(b"")
    write(tmp_path / "flat" / "disp1.png", np.full(SIZE, 7, np.uint8))
    write(tmp_path / "unknown" / "disp1.png", np.zeros(SIZE, np.uint8))
    write(tmp_path / "colour" / "disp1.png", photo(*SIZE, 0))
    write(tmp_path / "cut" / "disp1.png", np.random.default_rng(0).integers(1, 255, SIZE, np.uint8))
    truncate(tmp_path / "cut" / "disp1.png")
    (tmp_path / "blank" / "view1.png").write_bytes(b"")
    listing = stereo.find(tmp_path)
    assert {e.photo for e in listing.entries} == {"good"}
    found = reasons(listing)
    assert "view1 with disp1" in found["lonely"] and "no odd_disp beside it" in found["odd_view.png"]
    for name, words in {
        "small": "64×40 px and the photo 64×48",
        "empty": "an empty file",
        "flat": "7 wherever it is known",
        "unknown": "nowhere known",
        "colour": "expected a grey picture",
        "cut": "cut short",
        "blank": "view1.png: found an empty file",
    }.items():
        assert words in found[f"{name}/disp1.png"]
    assert len(found) == 9


def test_a_photo_cut_short_is_refused_by_name(tmp_path):
    write_scene(tmp_path / "Aloe", "view1.jpg")
    truncate(tmp_path / "Aloe" / "view1.jpg")
    with pytest.raises(DataError, match=r"view1\.jpg"):
        stereo.read(stereo.find(tmp_path).entries[0], 6.0)


def test_damaged_pfm_files_are_refused_by_name(tmp_path):
    path = tmp_path / "disp0.pfm"
    for content in (b"", b"Pf\n4 3\n", b"Pf\n4 3\n-1\n123", b"Pf\n900000 900000\n-1\n", b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"disp0\.pfm"):
            stereo.read_disparity(path)
