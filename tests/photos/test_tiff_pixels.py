"""TIFFs of every depth and layout that other libraries write, and those of ours that other libraries read."""

import io
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from sftdec.photos.errors import PhotoError
from sftdec.photos.images import read_photo
from sftdec.photos.photo import Encoding, Photo, eight_bits
from sftdec.photos.photo_encoding import encode_photo, told_otherwise
from sftdec.photos.photo_file import decode
from tests.photos.written import DEEP, LEVELS, MAKERS_NOTE, encoded, exif

LIGHT = np.random.default_rng(1).random((45, 70, 4))
NO_FLOATS = "expected grey or RGB, with or without alpha, in 8 or 16 bits a channel or in floats; convert it first"


def light(kind: type, channels: int) -> np.ndarray:
    part = LIGHT[..., :channels]
    return part.astype(kind) if np.issubdtype(kind, np.floating) else (part * np.iinfo(kind).max).astype(kind)


def tiff(levels: np.ndarray, planar: bool = False, **options: Any) -> bytes:
    """As tifffile writes levels H×W×C."""
    channels = levels.shape[2]
    stored = levels[..., 0] if channels == 1 else np.moveaxis(levels, 2, 0) if planar else levels
    if channels > 1:
        options["planarconfig"] = "separate" if planar else "contig"
    if channels in (2, 4):
        options.setdefault("extrasamples", ("unassalpha",))
    written = io.BytesIO()
    tifffile.imwrite(
        written, stored, **{"photometric": "rgb" if channels >= 3 else "minisblack", "metadata": None, **options}
    )
    return written.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_every_depth_channel_layout_byte_order_and_compression_is_read_to_the_level(kind, channels):
    levels = light(kind, channels)
    expected = levels.astype(np.float32) if np.issubdtype(kind, np.floating) else levels
    compressions: list[tuple[str | None, bool]] = [(None, False), ("deflate", False)]
    compressions += [("lzma", True)] if expected is levels else []
    layouts: list[dict[str, Any]] = [{"rowsperstrip": 7}, {"tile": (16, 32)}, {"tile": (48, 80)}]
    for planar, (compression, differenced), layout, order in product((False, True), compressions, layouts, "<>"):
        if planar and channels == 1:
            continue
        told: dict[str, Any] = {"compression": compression, "predictor": differenced or None, "byteorder": order}
        photo = decode(tiff(levels, planar, **told, **layout), "photo")
        assert photo.levels.dtype == expected.dtype, (planar, told, layout)
        assert np.array_equal(photo.levels, expected), (planar, told, layout)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_lzw_and_deflate_with_every_predictor_are_read_as_opencv_writes_them(kind, channels):
    levels = light(kind, channels)
    swapped = np.ascontiguousarray(levels[..., {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]])
    for compression, predictor in product((1, 5, 8, 32773), (1, 2, 3) if kind == np.float32 else (1, 2)):
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
        photo = decode(cv2.imencode(".tiff", swapped, options)[1].tobytes(), "photo")
        assert np.array_equal(photo.levels, levels), (compression, predictor)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_white_that_is_0_is_turned_round(kind):
    levels = light(kind, 1)
    white = 1 if kind == np.float32 else np.iinfo(kind).max
    assert np.array_equal(decode(tiff(levels, photometric="miniswhite"), "photo").levels, white - levels)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_what_is_written_is_read_again_here_and_by_others(kind, channels, compression):
    levels = light(kind, channels)
    written = encode_photo(Photo(levels, Encoding("tiff", {"compression": compression})))
    photo = decode(written, "photo")
    assert np.array_equal(photo.levels, levels) and photo.encoding.options["compression"] == compression
    if compression in ("raw", "tiff_adobe_deflate", "packbits"):  # tifffile needs further packages for the others
        read = tifffile.imread(io.BytesIO(written))
        assert read.dtype == kind and np.array_equal(read.reshape(levels.shape), levels)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_light_that_is_multiplied_by_alpha_stays_so_in_a_tiff_and_is_divided_elsewhere(kind, channels, tmp_path):
    straight = light(kind, channels)
    full = 1 if kind == np.float32 else 65535
    straight[..., -1] = np.maximum(straight[..., -1], full // 4 or 0.25)
    shares = straight[..., -1:] / full
    levels = np.concatenate([straight[..., :-1] * shares, straight[..., -1:]], axis=2)
    stored = levels.astype(kind) if kind == np.float32 else np.rint(levels).astype(kind)
    data = tiff(stored, extrasamples=("assocalpha",))
    photo = decode(data, "photo")
    assert np.array_equal(decode(encode_photo(photo), "again").levels, stored)
    (tmp_path / "a.tif").write_bytes(data)
    shown = np.broadcast_to(straight[..., :-1] * (255 / full), (45, 70, 3))
    for read in (
        eight_bits(decode(encode_photo(told_otherwise(photo, "png")), "").colour),
        read_photo(tmp_path / "a.tif"),
    ):
        assert np.abs(read.astype(float) - shown).max() < 0.6


def test_grey_of_8_bits_that_is_multiplied_by_alpha_is_read():
    levels = light(np.uint8, 2)
    assert np.array_equal(decode(tiff(levels, extrasamples=("assocalpha",)), "photo").levels, levels)


def test_a_turned_tiff_of_16_bits_or_floats_comes_out_upright():
    for kind in (np.uint16, np.float32):
        levels = light(kind, 3)
        photo = decode(tiff(levels, extratags=[(274, 3, 1, 6, True)]), "photo")
        assert np.array_equal(photo.levels, np.rot90(levels, -1))
        with tifffile.TiffFile(io.BytesIO(encode_photo(photo))) as again:
            assert again.pages[0].tags[274].value == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("first", [True, False])
def test_smaller_copies_and_masks_beside_the_picture_are_passed_over(first):
    levels, written = light(np.uint16, 3), io.BytesIO()
    with tifffile.TiffWriter(written) as file:
        if first:
            file.write(levels, photometric="rgb", metadata=None)
        file.write(levels[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
        file.write(levels[..., 0] >> 8 > 9, subfiletype=4, metadata=None)
        if not first:
            file.write(levels, photometric="rgb", metadata=None)
    assert np.array_equal(decode(written.getvalue(), "photo").levels, levels)
    eight = io.BytesIO()
    with tifffile.TiffWriter(eight) as file:
        file.write(LEVELS[::2, ::2, :3], photometric="rgb", subfiletype=1, metadata=None)
        file.write(LEVELS[..., :3], photometric="rgb", metadata=None)
    assert np.array_equal(decode(eight.getvalue(), "photo").levels, LEVELS[..., :3])


def test_several_pages_are_refused():
    written = io.BytesIO()
    tifffile.imwrite(written, DEEP[None, ..., :3].repeat(2, axis=0), photometric="rgb")
    with pytest.raises(PhotoError, match=r"^photo: found several pages, expected one picture"):
        decode(written.getvalue(), "photo")


def test_a_raw_file_is_refused_by_its_name_and_its_preview_is_not_taken_for_it():
    for tags, name in (([(50706, 1, 4, b"\1\4\0\0", True)], "a DNG"), ([], "a TIFF of its own kind")):
        written = io.BytesIO()
        with tifffile.TiffWriter(written) as file:
            preview: dict[str, Any] = {"photometric": "rgb", "subfiletype": 1, "metadata": None}
            file.write(LEVELS[..., :3], extratags=tags, subifds=1, **preview)
            file.write(DEEP[..., 0], photometric=32803, metadata=None)
        with pytest.raises(PhotoError, match=rf"^photo: found a camera's raw file \({name}\).*develop it first"):
            decode(written.getvalue(), "photo")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (tiff(light(np.uint32, 3)), "a TIFF of 3 channels of 32 bits"),
        (tiff(light(np.int16, 1)), "a TIFF of 1 channels of 16 bits with a sign"),
        (tiff(light(np.int8, 1)), "a TIFF of 1 channels of 8 bits with a sign"),
        (tiff(light(np.uint16, 4), photometric="separated", extrasamples=()), "colours of the kind CMYK"),
        (tiff(light(np.uint8, 4), photometric="separated", extrasamples=()), "colours of the kind CMYK"),
        (tiff(light(np.uint16, 3), photometric="cielab"), "colours of the kind Lab"),
        (tiff(light(np.uint8, 3), photometric="cielab"), "colours of the kind Lab"),
        (
            tiff(light(np.uint16, 4), extrasamples=(0,)),
            "a TIFF of 4 channels of 16 bits, of which the last isn't said to be alpha",
        ),
        (
            tiff(light(np.float32, 2), extrasamples=(0,)),
            r"a TIFF of 2 channels of 32 bits \(floats\), of which the last isn't said to be alpha",
        ),
        (tiff(light(np.uint16, 3), photometric="minisblack"), "a TIFF of 3 channels of 16 bits, of the kind 1"),
    ],
)
def test_samples_that_no_one_here_reads_right_are_refused_by_their_name(data, found):
    with pytest.raises(PhotoError, match=rf"^photo: found {found}, {NO_FLOATS}$"):
        decode(data, "photo")


def test_twelve_bits_in_sixteen_and_floats_of_another_range_are_refused_with_the_mend():
    for kind, factor, found in (
        (np.uint16, 4095, r"no level above 40\d\d in 16 bits a channel.* they look like 12 bits; multiply"),
        (np.uint16, 255, r"no level above 25\d in 16 bits a channel.* they look like 8 bits; multiply"),
        (np.float32, 255, r"floats from 0\.\d+ to 25\d\.\d+, expected 0 .* divide them by what is white"),
        (np.float32, -9, r"floats from -8\.\d+ to"),
        (np.float32, np.nan, "values that are NaN or infinite"),
    ):
        with pytest.raises(PhotoError, match=rf"^photo: found {found}"):
            decode(tiff((LIGHT[..., :3] * factor).astype(kind)), "photo")
    black = np.zeros((20, 20, 3), np.uint16)
    assert np.array_equal(decode(tiff(black), "photo").levels, black)


def test_highlights_above_white_stay_what_they_were():
    levels = light(np.float32, 3) * np.float32(1.5)
    photo = decode(tiff(levels), "photo")
    assert photo.colour.max() == 1
    assert np.abs(photo.with_colour(photo.colour).levels - levels).max() < 1e-6


def test_exif_of_a_tiff_of_16_bits_stays():
    photo = decode(encoded(LEVELS[..., :3], "TIFF", exif=exif(1)), "photo")
    deep = Photo(DEEP[..., :3], photo.encoding, photo.attachments)
    again = decode(encode_photo(deep), "photo")
    assert again.attachments.exif is not None and MAKERS_NOTE in again.attachments.exif
    assert Image.open(io.BytesIO(encode_photo(deep))).getexif()[0x010F] == "camera"
