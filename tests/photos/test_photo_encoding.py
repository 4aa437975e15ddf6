"""What a format has no place for, told before the work, and floats and 16 bits in formats of fewer bits."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sftdec.photos.errors import PhotoError
from sftdec.photos.photo import Attachments, Encoding, Photo
from sftdec.photos.photo_encoding import encode_photo, told_otherwise
from sftdec.photos.photo_file import decode
from tests.photos.written import LEVELS, MAKERS_NOTE, PROFILE, XMP, encoded, exif

PNG = Encoding("png")


@pytest.mark.parametrize(("format", "most"), [("webp", 16383), ("jpeg", 65500), ("avif", 65536)])
def test_a_side_too_long_for_a_format_is_told_before_the_work(format, most):
    fits = Photo(np.zeros((16, most, 1), np.uint8), PNG)
    assert told_otherwise(fits, format).encoding.format == format
    long = Photo(np.zeros((most + 1, 16, 1), np.uint8), PNG)
    with pytest.raises(PhotoError, match=rf"^found 16×{most + 1} px, but an? \w+ has {most} px a side at most"):
        told_otherwise(long, format)
    assert told_otherwise(long, "png") and told_otherwise(long, "tiff")


@pytest.mark.parametrize(("what", "room"), [("exif", 65527), ("xmp", 65504)])
def test_exif_and_xmp_too_large_for_a_jpeg_are_told_before_the_work_and_what_fits_is_written(what, room):
    block = b"II*\0\x08\0\0\0\0\0\0\0\0\0" if what == "exif" else b"<x/>"
    for size in (room, room + 1):
        photo = Photo(LEVELS[..., :3], PNG, Attachments(**{what: block.ljust(size, b" ")}))
        if size == room:
            assert Image.open(io.BytesIO(encode_photo(told_otherwise(photo, "jpeg")))).info[what]
        else:
            expected = f"found {size} bytes of {what.upper()}, but a JPEG has room for {room}; expected --format png"
            with pytest.raises(PhotoError, match=re.escape(expected)):
                told_otherwise(photo, "jpeg")
        assert told_otherwise(photo, "webp")


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp"])
def test_profile_exif_and_xmp_go_into_an_avif_and_out_of_it(format):
    told = {"profile": PROFILE, "exif": exif(1).removeprefix(b"Exif\0\0")}
    told["xmp"] = XMP.replace(b'Orientation="6"', b'Orientation="1"')
    photo = Photo(LEVELS[..., :3], PNG, Attachments(**told))
    avif = decode(encode_photo(told_otherwise(photo, "avif")), "photo")
    assert avif.attachments.profile == PROFILE and avif.attachments.xmp == told["xmp"]
    again = decode(encode_photo(told_otherwise(avif, format)), "photo").attachments
    assert again.profile == PROFILE and (again.xmp or b"").rstrip(b"\0") == told["xmp"]
    assert again.exif is not None and MAKERS_NOTE in again.exif and b"camera" in again.exif


def test_an_avif_that_was_turned_is_written_upright():
    data = encoded(LEVELS[..., :3], "AVIF", exif=exif(6), quality=100, subsampling="4:4:4")
    photo = decode(data, "photo")
    assert photo.levels.shape == (31, 24, 3)
    assert decode(encode_photo(photo), "photo").levels.shape == (31, 24, 3)


def test_floats_become_16_bits_in_a_png_and_8_in_what_has_no_more():
    light = np.random.default_rng(0).random((24, 31, 4), np.float32) * np.float32(1.1)
    photo = Photo(light, Encoding("tiff", {"compression": "raw"}))
    png = decode(encode_photo(told_otherwise(photo, "png")), "")
    assert np.array_equal(png.levels, np.rint(np.clip(light, 0, 1) * np.float32(65535)))
    webp = decode(encode_photo(told_otherwise(photo, "webp")), "")
    assert np.array_equal(webp.levels, np.rint(np.clip(light, 0, 1) * 255))
    jpeg = told_otherwise(replace(photo, levels=light[..., :3]), "jpeg")
    assert decode(encode_photo(jpeg), "").levels.dtype == np.uint8


def test_grey_of_floats_stays_grey_and_alpha_stays():
    light = np.random.default_rng(0).random((24, 31, 2), np.float32)
    photo = Photo(light, Encoding("tiff", {"compression": "tiff_lzw"}))
    again = decode(encode_photo(photo.with_colour(photo.colour)), "photo").levels
    assert np.abs(again[..., 0] - light[..., 0]).max() < 1e-6 and np.array_equal(again[..., 1], light[..., 1])


def test_a_tiff_of_jpegs_may_be_wider_than_a_strip_is_large():
    photo = Photo(np.zeros((16, 22_000, 3), np.uint8), Encoding("tiff", {"compression": "jpeg"}), Attachments())
    assert decode(encode_photo(photo), "").levels.shape == (16, 22_000, 3)
