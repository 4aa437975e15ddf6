"""Every format, depth and number of channels that a library writes, read as another library reads it."""

import io
import sys
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sftdec.photos.errors import PhotoError
from sftdec.photos.photo_encoding import encode_photo, told_otherwise
from sftdec.photos.photo_file import decode
from sftdec.photos.png_chunks import deep_png, profile_chunk, with_chunks
from tests.photos.written import DEEP, LEVELS, PROFILE, encoded

SMOOTH = cv2.resize(LEVELS[:6, :8, :3], (64, 48), interpolation=cv2.INTER_CUBIC)


def saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, format, **options)
    return written.getvalue()


def read_by_opencv(data: bytes) -> np.ndarray:
    """H×W×C in the order of RGB."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    found = found if found.ndim == 3 else found[..., None]
    return found[..., {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(found.shape[2], [0])]


@pytest.mark.parametrize("format", ["PNG", "BMP", "WEBP", "JPEG", "JPEG2000"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_modes_of_8_bits_are_read_as_opencv_reads_them(format, mode):
    if (format, mode) in (("JPEG", "RGBA"), ("JPEG", "P"), ("JPEG2000", "1"), ("JPEG2000", "P"), ("BMP", "RGBA")):
        return  # what there isn't, or is written as another mode
    if format == "WEBP" and mode in ("1", "L", "P"):
        return
    options = {"WEBP": {"lossless": True, "exact": True}}.get(format, {})
    data = saved(Image.fromarray(np.dstack([SMOOTH, SMOOTH[..., 0]])).convert(mode), format, **options)
    levels, expected = decode(data, "photo").levels, read_by_opencv(data)
    if levels.shape[2] == 1 and expected.shape[2] == 3:
        levels = levels.repeat(3, axis=2)
    assert levels.shape == expected.shape and np.array_equal(levels, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_of_16_bits_are_read_as_opencv_reads_them(channels):
    data = deep_png(DEEP[..., :channels])
    assert np.array_equal(decode(data, "photo").levels, read_by_opencv(data))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_avif_is_read_as_opencv_reads_it_and_written_with_its_subsampling_and_alpha(mode, subsampling):
    picture = Image.fromarray(np.dstack([SMOOTH, SMOOTH[..., 0]])).convert(mode)
    data = saved(picture, "AVIF", quality=95, subsampling=subsampling)
    photo = decode(data, "photo")
    assert photo.encoding.format == "avif" and photo.encoding.options == {"subsampling": subsampling}
    assert np.abs(photo.levels.astype(int) - read_by_opencv(data)).max() <= 3  # two ways of making chroma whole
    again = decode(encode_photo(photo), "photo")
    assert again.encoding == photo.encoding and again.levels.shape == photo.levels.shape
    assert np.abs(again.levels.astype(int) - photo.levels).mean() < 3


def test_avif_is_written_on_demand_at_a_quality():
    photo = decode(encoded(SMOOTH, "PNG"), "photo")
    sizes = [len(encode_photo(told_otherwise(photo, "avif", quality))) for quality in (20, 90)]
    assert sizes[0] < sizes[1]
    assert np.abs(decode(encode_photo(told_otherwise(photo, "avif")), "").levels.astype(int) - SMOOTH).mean() < 2


def test_what_says_its_light_is_hdr_or_wide_is_refused_where_no_profile_says_how():
    data = saved(Image.fromarray(SMOOTH), "AVIF")
    for primaries, curve, found in ((9, 16, "PQ, HDR"), (9, 18, "HLG, HDR"), (12, 13, "primaries 12")):
        told = data.replace(b"colrnclx\0\1\0\x0d", b"colrnclx" + primaries.to_bytes(2) + curve.to_bytes(2))
        assert told != data
        with pytest.raises(PhotoError, match=rf"found colours that aren't sRGB \({found}"):
            decode(told, "photo")


def test_bmp_and_jpeg_2000_become_png_since_they_have_no_place_for_what_is_kept():
    for format in ("BMP", "JPEG2000"):
        photo = decode(saved(Image.fromarray(SMOOTH), format), "photo")
        assert photo.encoding.format == "png" and np.array_equal(decode(encode_photo(photo), "").levels, SMOOTH)


def test_a_jpeg_2000_of_more_than_8_bits_is_refused_and_its_profile_is_kept():
    written = bytes(cv2.imencode(".jp2", np.uint16(SMOOTH) * 257)[1])
    with pytest.raises(PhotoError, match=r"^photo: found a JPEG 2000 of 16 bits, expected 8 bits a channel"):
        decode(written, "photo")
    eight = saved(Image.fromarray(SMOOTH), "JPEG2000")
    place = eight.index(b"colr") - 4
    length = int.from_bytes(eight[place : place + 4])
    box = b"colr\2\0\0" + PROFILE
    told = eight[:place] + (4 + len(box)).to_bytes(4) + box + eight[place + length :]
    header = told.index(b"jp2h") - 4
    grown = int.from_bytes(told[header : header + 4]) + 4 + len(box) - length
    told = told[:header] + grown.to_bytes(4) + told[header + 4 :]
    assert decode(told, "photo").attachments.profile == PROFILE


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colours_are_refused_by_their_name(mode):
    data = saved(Image.new(mode, (32, 32)), "JPEG" if mode != "LAB" else "TIFF")
    if mode == "YCbCr":
        assert decode(data, "photo").levels.shape == (32, 32, 3)  # a JPEG's own way to store RGB
        return
    with pytest.raises(PhotoError, match=r"colours of the kind (CMYK|Lab)"):
        decode(data, "photo")


@pytest.mark.parametrize("deep", [False, True])
def test_texts_and_profiles_of_several_megabytes_are_no_damage(deep):
    profile, text = PROFILE + bytes(3_000_000), "a recipe " * 400_000
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", text, zip=True)
    data = encoded(LEVELS[..., :3], "PNG", icc_profile=profile, pnginfo=told)
    if deep:
        compressed = b"parameters\0\0" + zlib.compress(text.encode())
        data = with_chunks(deep_png(DEEP[..., :3]), [profile_chunk(profile), (b"zTXt", compressed)])
    photo = decode(data, "photo")
    assert np.array_equal(photo.levels, (DEEP if deep else LEVELS)[..., :3])
    assert photo.attachments.profile == profile
    assert Image.open(io.BytesIO(encode_photo(photo))).text["parameters"] == text  # type: ignore[attr-defined]


def test_a_heic_names_the_extra_that_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"^photo: found a HEIC.* needs the (extra heic|package pillow-heif)"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "photo")


def test_a_turned_heic_is_turned_once_and_its_exif_says_so():
    pillow_heif = pytest.importorskip("pillow_heif")
    block, found, written = Image.Exif(), Image.Exif(), io.BytesIO()
    block[0x0112], block[0x8769] = 6, {0xA002: 64, 0xA003: 48}
    smooth = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 48, axis=0)
    pillow_heif.from_pillow(Image.fromarray(smooth)).save(written, quality=95, exif=block.tobytes())
    photo = decode(written.getvalue(), "photo")
    assert np.abs(photo.levels[..., 0].astype(int) - np.rot90(smooth, -1)).max() < 9
    found.load(photo.attachments.exif or b"")
    assert found[0x0112] == 1 and dict(found.get_ifd(0x8769)) == {0xA002: 48, 0xA003: 64}
    assert decode(encode_photo(photo), "photo").levels.shape == photo.levels.shape


def test_a_heic_is_read_and_written_with_what_stands_beside_its_pixels():
    pillow_heif = pytest.importorskip("pillow_heif")
    picture = Image.fromarray(SMOOTH)
    picture.info["icc_profile"] = PROFILE
    for mode in ("L", "RGB", "RGBA"):
        written = io.BytesIO()
        pillow_heif.from_pillow(picture.convert(mode)).save(written, quality=95, chroma=444)
        photo = decode(written.getvalue(), "photo")
        expected = np.asarray(picture.convert(mode)).reshape(48, 64, -1)
        assert photo.encoding.format == "heic" and np.abs(photo.levels.astype(int) - expected).mean() < 3
        again = decode(encode_photo(photo), "photo")
        assert again.levels.shape == photo.levels.shape and again.attachments.profile == photo.attachments.profile
        assert np.abs(again.levels.astype(int) - photo.levels).mean() < 3
