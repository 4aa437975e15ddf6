"""What data sets, drift and stereo read: photos as 8 bits, maps and values as they are, all by the one reader."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from sftdec.photos.images import picture_header, read_defocus, read_levels, read_photo, read_values
from sftdec.photos.png_chunks import deep_png
from sftdec.runtime import DataError
from tests.photos.written import DEEP, LEVELS, deep_tiff, encoded, exact_files, exif, tiff_of_floats


def test_every_kind_of_file_is_read_as_8_bits_of_rgb(tmp_path):
    for name, (data, levels) in exact_files().items():
        path = tmp_path / name
        path.write_bytes(data)
        light = levels[..., :1] if levels.shape[2] <= 2 else levels[..., :3]
        expected = light if light.dtype == np.uint8 else np.rint(light / 257).astype(np.uint8)
        assert np.array_equal(read_photo(path), np.broadcast_to(expected, (24, 31, 3))), name
        header = picture_header(path)
        assert header.size == (24, 31) and header.bits == 8 * levels.itemsize, name


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_tiff_of_16_bits_in_colour_is_the_same_at_each_reading_and_in_every_layout(tmp_path, planar):
    path = tmp_path / "a.tif"
    levels = DEEP[..., :3] if planar == "contig" else np.moveaxis(DEEP[..., :3], 2, 0)
    tifffile.imwrite(path, levels, photometric="rgb", planarconfig=planar, byteorder=">", tile=(16, 16))
    for _ in range(3):
        assert np.array_equal(read_photo(path), np.rint(DEEP[..., :3] / 257))


def test_floats_are_read_by_their_range_or_refused(tmp_path):
    path, light = tmp_path / "a.tif", np.random.default_rng(0).random((20, 24, 3), np.float32)
    path.write_bytes(tiff_of_floats(light))
    assert np.array_equal(read_photo(path), np.rint(light * 255)) and picture_header(path).bits == 32
    path.write_bytes(tiff_of_floats(light * 1.3))
    with pytest.raises(DataError, match=r"a\.tif: found floats from 0.* to 1\.\d+, expected 0 to 1: divide them"):
        read_photo(path)
    path.write_bytes(tiff_of_floats(light[..., :1]))
    assert np.array_equal(read_defocus(path), light[..., 0])
    for values, found in ((light[..., :1] * 6, r"from 0.* to 5\.\d+"), (light[..., :1] * np.nan, "from nan")):
        path.write_bytes(tiff_of_floats(values))
        with pytest.raises(DataError, match=rf"a\.tif: found floats {found}"):
            read_defocus(path)


def test_maps_may_be_dark_and_keep_their_levels(tmp_path):
    path, dark = tmp_path / "a.png", DEEP[..., :1] // 64
    path.write_bytes(deep_png(dark))
    assert np.array_equal(read_values(path), dark[..., 0])
    assert np.array_equal(read_defocus(path), np.float32(dark[..., 0] / 65535))
    with pytest.raises(DataError, match=r"a\.png: found no level above 1023 in 16 bits .*, or take it out"):
        read_photo(path)


def test_of_values_nothing_is_guessed(tmp_path):
    path = tmp_path / "a.png"
    for data, what in (
        (encoded(LEVELS[..., :2], "PNG"), "grey with alpha"),
        (encoded(LEVELS[..., :3], "PNG"), "colours"),
        (deep_png(DEEP), "colours with alpha"),
        (_palette(), "colours"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"a\.png: found {what}, expected a grey picture of values; save it as"):
            read_defocus(path)
    assert read_levels(path).shape == (24, 31, 3)


def _palette() -> bytes:
    written = io.BytesIO()
    Image.fromarray(LEVELS[..., 0]).quantize(16).convert("P", palette=Image.Palette.ADAPTIVE).save(written, "PNG")
    return written.getvalue()


def test_a_cmyk_photo_and_pages_are_refused_by_name_also_in_data_sets(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("CMYK", (32, 32)).save(path)
    for read in (read_photo, picture_header):
        with pytest.raises(DataError, match=r"a\.jpg: found colours of the kind CMYK .*; convert it first, or take"):
            read(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_header_says_the_size_that_the_photo_has_when_it_is_turned(tmp_path, format):
    path = tmp_path / "a.png"
    for orientation in (1, 3, 6):
        path.write_bytes(encoded(LEVELS[..., :3], format, exif=exif(orientation)))
        assert picture_header(path).size == read_photo(path).shape[:2] == ((31, 24) if orientation == 6 else (24, 31))


def test_small_pictures_are_data_too_and_damaged_ones_are_named(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(encoded(LEVELS[:3, :2, :3], "TIFF"))
    assert np.array_equal(read_photo(path), LEVELS[:3, :2, :3])
    for data in (b"", b"text", deep_tiff(DEEP[..., :3])[:-3000], encoded(LEVELS, "PNG")[:200]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.tif: (found|the picture is corrupt or cut short).* take it out"):
            read_photo(path)
    with pytest.raises(DataError, match="there is no such picture"):
        picture_header(tmp_path / "none.png")


def test_a_pfm_holds_values_and_is_no_photo(tmp_path):
    values = np.random.default_rng(0).random((20, 24), np.float32) * 100
    assert cv2.imwrite(str(tmp_path / "a.pfm"), values)
    assert np.array_equal(read_values(tmp_path / "a.pfm"), values)
    with pytest.raises(DataError, match=r"a\.pfm: found a PFM, expected JPEG"):
        read_photo(tmp_path / "a.pfm")
