"""Photos in, photos and maps out."""

import numpy as np
import pytest
import torch
from PIL import Image

from sftdec.datasets import DataError
from sftdec.inference.deblur import PhotoError, deblur_array, deblur_file, find_photos, refuse_equal_names
from sftdec.networks import NetworkConfig, build_network

TINY = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}


@pytest.fixture(scope="module")
def network():
    net = build_network(NetworkConfig.of_size("small", **TINY)).eval()
    with torch.no_grad():
        net.deblurring.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    return net


def picture(height=20, width=31):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_8_bit_16_bit_and_float_of_one_picture_give_one_result(network):
    levels = picture()
    results = [deblur_array(network, x) for x in (levels, levels.astype(np.uint16) * 257, levels / 255)]
    for deblurred, defocus in results:
        assert deblurred.shape == (20, 31, 3) and defocus.shape == (20, 31) and deblurred.dtype == np.float32
        assert deblurred.min() >= 0 and deblurred.max() <= 1 and defocus.min() >= 0 and defocus.max() <= 1
        assert np.allclose(deblurred, results[0][0], atol=1e-5)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20), np.uint8), "H×W×3"),
        (np.zeros((8, 20, 3), np.uint8), "16 px"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.full((20, 20, 3), np.nan), "NaN"),
    ],
)
def test_what_is_no_picture_is_refused(network, image, message):
    with pytest.raises(PhotoError, match=message):
        deblur_array(network, image)


def test_a_file_keeps_its_name_and_format_and_gets_its_map_beside_it(network, tmp_path):
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    written = deblur_file(network, tmp_path / "photo.png", tmp_path / "out", with_map=True)
    assert [path.name for path in written] == ["photo.png", "photo_defocus.png"]
    deblurred, defocus = deblur_array(network, picture())
    assert np.array_equal(np.asarray(Image.open(written[0])), np.rint(deblurred * 255).astype(np.uint8))
    assert np.array_equal(np.asarray(Image.open(written[1])), np.rint(defocus * 65535).astype(np.uint16))


def test_the_cameras_rotation_is_applied(network, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.fromarray(picture()).save(tmp_path / "turned.jpg", exif=exif)
    (written,) = deblur_file(network, tmp_path / "turned.jpg", tmp_path / "out")
    assert Image.open(written).size == (20, 31) and Image.open(written).format == "JPEG"


def test_a_photo_is_not_overwritten_by_its_own_result(network, tmp_path):
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    before = (tmp_path / "photo.png").read_bytes()
    with pytest.raises(PhotoError, match="overwrite"):
        deblur_file(network, tmp_path / "photo.png", tmp_path)
    assert (tmp_path / "photo.png").read_bytes() == before


def test_a_damaged_or_tiny_photo_is_named_and_nothing_is_written(network, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 no")
    with pytest.raises(DataError, match=r"bad\.jpg"):
        deblur_file(network, tmp_path / "bad.jpg", tmp_path / "out")
    Image.fromarray(picture(8, 8)).save(tmp_path / "tiny.png")
    with pytest.raises(PhotoError, match=r"tiny\.png.*16 px"):
        deblur_file(network, tmp_path / "tiny.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_and_files_are_found_in_order(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_photos([tmp_path, tmp_path / "b.jpg"])] == ["a.PNG", "b.jpg", "b.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match="no photo in this folder"):
        list(find_photos([tmp_path / "empty"]))
    with pytest.raises(PhotoError, match="no such file"):
        list(find_photos([tmp_path / "none.png"]))


def test_photos_whose_results_would_overwrite_each_other_are_named(tmp_path):
    refuse_equal_names([tmp_path / "a" / "1.jpg", tmp_path / "a" / "2.jpg"])
    with pytest.raises(PhotoError, match=r"a.1\.jpg and .*b.1\.png"):
        refuse_equal_names([tmp_path / "a" / "1.jpg", tmp_path / "b" / "1.png"])


def test_a_map_does_not_overwrite_another_photos_result(tmp_path):
    photos = [tmp_path / "c.jpg", tmp_path / "c_Defocus.PNG"]
    refuse_equal_names(photos)
    refuse_equal_names([*photos[:1], tmp_path / "c_defocus.jpg"], with_map=True)
    for order in (photos, photos[::-1]):
        with pytest.raises(PhotoError, match=r"c\.jpg and .*c_Defocus\.PNG: the map"):
            refuse_equal_names(order, with_map=True)


def test_16_bit_grey_is_scaled_not_clipped(network, tmp_path):
    Image.fromarray(np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)).save(tmp_path / "grey.png")
    (written,) = deblur_file(network, tmp_path / "grey.png", tmp_path / "out")
    assert 100 < np.asarray(Image.open(written)).mean() < 155
