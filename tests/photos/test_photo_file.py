"""Photos out of files and into files: every level, and everything that the files say beside it."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps, IptcImagePlugin, JpegImagePlugin

from sftdec.deblurrer import Deblurrer
from sftdec.inference.photo_results import deblur_photo_file
from sftdec.photos.errors import PhotoError
from sftdec.photos.photo_encoding import encode_photo, told_otherwise
from sftdec.photos.photo_file import Limits, Photo, decode
from sftdec.photos.photo_list import Targets
from sftdec.runtime.devices import choose_device, has_bf16
from tests.photos.written import (
    DEEP,
    LEVELS,
    MAKERS_NOTE,
    PROFILE,
    XMP,
    deep_tiff,
    encoded,
    exact_files,
    exif,
)
from tests.tiny import tiny_weights


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def written(data: bytes, **told: object) -> bytes:
    return encode_photo(told_otherwise(decode(data, "photo"), **told))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_that_changes_nothing_gives_back_every_level(tmp_path, precision):
    if precision == "bf16" and not has_bf16(choose_device("cpu")):
        pytest.skip("this hardware has no bfloat16")
    deblurrer = Deblurrer.load(tiny_weights(tmp_path / "weights.safetensors"), device="cpu", precision=precision)
    for name, (data, levels) in exact_files().items():
        photo = decode(data, name)
        assert photo.levels.dtype == levels.dtype and np.array_equal(photo.levels, levels), name
        again = decode(encode_photo(photo.with_colour(deblurrer(photo.colour).image)), name)
        assert np.array_equal(again.levels, levels) and again.encoding == photo.encoding, name


def test_others_read_the_16_bits_that_are_written():
    import tifffile

    for channels in (1, 3, 4):
        read = tifffile.imread(io.BytesIO(written(deep_tiff(DEEP[..., :channels], 8))))
        assert np.array_equal(read.reshape(24, 31, channels), DEEP[..., :channels])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_cameras_rotation_is_applied_once_and_the_rest_of_exif_stays(format, orientation):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(format, {})
    data = encoded(LEVELS[..., :3], format, exif=exif(orientation), **options)
    result = written(data)
    expected = np.asarray(ImageOps.exif_transpose(opened(data)).convert("RGB"))
    difference = np.abs(np.asarray(opened(result).convert("RGB")).astype(int) - expected)
    assert difference.mean() <= 10 * (format == "JPEG")  # a JPEG of noise; another rotation is 85 away
    after = opened(result).getexif()
    assert after.get(0x0112, 1) == 1 and after[0x010F] == "camera"
    assert after.get_ifd(0x8769)[0x829A] == 0.01 and after.get_ifd(0x8825)[1] == "N"
    assert after.get_ifd(0x8769)[0x927C] == MAKERS_NOTE


def test_in_exif_of_jpeg_png_and_webp_only_the_rotation_changes_and_a_turned_thumbnail_is_let_go():
    block = exif(6).removeprefix(b"Exif\0\0")
    count = struct.unpack_from(">H" if block[:2] == b"MM" else "<H", block, 8)[0]
    hooked = bytearray(block)
    hooked[10 + 12 * count : 14 + 12 * count] = (8).to_bytes(4, "big" if block[:2] == b"MM" else "little")
    for format in ("JPEG", "PNG", "WEBP"):
        data = encoded(LEVELS[..., :3], format, exif=b"Exif\0\0" + bytes(hooked))
        after = decode(written(data), "photo").attachments.exif
        assert after is not None and len(after) == len(block)
        assert sum(a != b for a, b in zip(after, block, strict=True)) == 1  # 6 → 1; the hook is as it was without one


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("into", ["jpeg", "png", "tiff", "webp"])
def test_profile_exif_xmp_and_dots_an_inch_stay_in_every_format(format, into):
    data = encoded(LEVELS[..., :3], format, exif=exif(1), icc_profile=PROFILE, xmp=XMP, dpi=(300, 200))
    if format in ("PNG", "TIFF"):  # Pillow takes XMP for these otherwise
        photo = decode(data, "photo")
        data = encode_photo(Photo(photo.levels, photo.encoding, _with_xmp(photo)))
    result = opened(written(data, format=into))
    assert result.format == into.upper() and result.info["icc_profile"] == PROFILE
    assert result.info["xmp"].rstrip(b"\0") == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    assert result.getexif()[0x010F] == "camera" and result.getexif().get_ifd(0x8769)[0x927C] == MAKERS_NOTE
    if "WEBP" not in (format, into.upper()):  # which has no place for it
        assert result.info["dpi"] == pytest.approx((300, 200), abs=0.02)


def editors_segments(large: bytes) -> bytes:
    """A JPEG's APP13 segments: a caption and a copyright of IPTC, and a block of another number that fills a second."""
    caption = b"\x1c\x02\x78\0\x07a river" + b"\x1c\x02\x74\0\x05their"
    blocks = (b"\x04\x04", caption), (b"\x04\x25", large)
    segments = [
        b"Photoshop 3.0\x008BIM" + number + b"\0\0" + len(block).to_bytes(4) + block + bytes(len(block) % 2)
        for number, block in blocks
    ]
    return b"".join(b"\xff\xed" + (2 + len(each)).to_bytes(2) + each for each in segments)


@pytest.mark.parametrize("size", [10, 65_000])
def test_a_jpegs_caption_and_copyright_of_iptc_stay_in_a_jpeg(size):
    extra = editors_segments(bytes(range(1, 11)) * (size // 10))
    more = {"exif": exif(6), "icc_profile": PROFILE * 500, "xmp": XMP}
    data = encoded(LEVELS[..., :3], "JPEG", extra=extra, **more)
    for result in (written(data), written(data, quality=60)):
        assert result.count(extra) == 1 and result.count(b"Photoshop 3.0") == 2
        told = IptcImagePlugin.getiptcinfo(opened(result))
        assert told is not None and told[2, 120] == b"a river" and told[2, 116] == b"their"
        assert opened(result).getexif()[0x010F] == "camera" and opened(result).info["icc_profile"] == PROFILE * 500
    for format in ("png", "tiff", "webp"):
        assert b"Photoshop 3.0" not in written(data, format=format)
    assert b"\xff\xed" not in written(encoded(LEVELS[..., :3], "JPEG"))[:200]


def _with_xmp(photo: Photo):
    return replace(photo.attachments, xmp=XMP.replace(b'Orientation="6"', b'Orientation="1"'))


def test_a_jpeg_keeps_its_tables_its_subsampling_and_its_kind_unless_it_is_told_a_quality():
    for quality, sampling, progressive in ((35, 0, False), (80, 1, True), (97, 2, True)):
        data = encoded(LEVELS[..., :3], "JPEG", quality=quality, subsampling=sampling, progressive=progressive)
        before, after = opened(data), opened(written(data))
        assert after.quantization == before.quantization and JpegImagePlugin.get_sampling(after) == sampling
        assert bool(after.info.get("progressive")) == progressive
        told = opened(written(data, quality=60))
        expected = opened(encoded(LEVELS[..., :3], "JPEG", quality=60))
        assert told.quantization == expected.quantization and JpegImagePlugin.get_sampling(told) == sampling
    grey = opened(written(encoded(LEVELS[..., :1], "JPEG", quality=50, comment=b"a note")))
    assert grey.mode == "L" and grey.info["comment"] == b"a note"


def test_webp_stays_lossy_or_lossless_and_tiff_keeps_its_compression():
    for lossless in (True, False):
        data = encoded(LEVELS, "WEBP", lossless=lossless, exact=True)
        result = written(data)
        assert (b"VP8L" in result) == lossless and np.array_equal(decode(result, "").levels[..., 3], LEVELS[..., 3])
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        result = opened(written(encoded(LEVELS[..., :3], "TIFF", compression=compression)))
        assert result.info["compression"] == compression


def test_an_mpo_is_its_first_photo_and_a_palette_its_colours():
    other = Image.fromarray(LEVELS[..., 1:])
    data = encoded(LEVELS[..., :3], "MPO", save_all=True, append_images=[other], quality=95)
    assert opened(data).n_frames == 2
    result = opened(written(data))
    assert result.format == "JPEG"
    flat = np.zeros((20, 20, 3), np.uint8)
    flat[:, 10:] = 200, 10, 30
    palette = io.BytesIO()
    Image.fromarray(flat).quantize(2).save(palette, "PNG")
    assert np.array_equal(decode(palette.getvalue(), "").levels, flat)
    seen_through = io.BytesIO()
    Image.fromarray(flat).quantize(2).save(seen_through, "PNG", transparency=0)
    assert set(np.unique(decode(seen_through.getvalue(), "").levels[..., 3])) == {0, 255}


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_level_of_a_png_s_grey_that_is_seen_through_is_of_its_own_bits(bits):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = np.array([1, 0] * 12, np.uint8)
    packed = np.packbits(np.unpackbits(pixels[:, None], axis=1)[:, -bits:])
    told = (b"IHDR", struct.pack(">IIBBBBB", 24, 20, bits, 0, 0, 0, 0)), (b"tRNS", struct.pack(">H", 1))
    rows = (b"IDAT", zlib.compress((b"\0" + packed.tobytes()) * 20))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in (*told, rows, (b"IEND", b"")))
    levels, white = decode(data, "photo").levels, 2**bits - 1
    assert np.array_equal(levels[..., 0], np.tile(pixels * (255 // white), (20, 1)))
    assert np.array_equal(levels[..., 1], np.tile(255 * (1 - pixels), (20, 1)))


def test_grey_stays_grey_by_the_mean_of_what_its_three_channels_became():
    photo = decode(encoded(LEVELS[..., :2], "PNG"), "photo")
    assert photo.is_grey and np.array_equal(photo.colour, np.repeat(LEVELS[..., :1], 3, axis=2))
    changed = photo.with_colour(np.broadcast_to(np.array([10, 20, 40], np.uint8), (24, 31, 3)))
    assert (changed.levels[..., 0] == 23).all() and np.array_equal(changed.levels[..., 1], LEVELS[..., 1])


def test_16_bits_become_8_where_the_format_asked_for_has_no_more():
    result = decode(written(deep_tiff(DEEP[..., :3]), format="webp"), "")
    assert np.array_equal(result.levels, np.rint(DEEP[..., :3] / 257).astype(np.uint8))


def frames(format: str, **options: object) -> bytes:
    return encoded(LEVELS[..., :3], format, save_all=True, append_images=[Image.fromarray(LEVELS[..., 1:])], **options)


def cmyk() -> bytes:
    written = io.BytesIO()
    Image.new("CMYK", (32, 32)).save(written, "JPEG")
    return written.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file, expected JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP or JPEG 2000"),
        (b"some text", "9 bytes that are no picture"),
        (frames("GIF"), "a GIF"),
        (frames("PNG"), "an animation, expected one picture"),
        (frames("WEBP"), "an animation, expected one picture"),
        (frames("TIFF"), "several pages, expected one picture"),
        (cmyk(), "colours of the kind CMYK .* convert it first"),
        (encoded(LEVELS[..., :3], "PNG")[:-200], "corrupt or cut short"),
        (deep_tiff(DEEP[..., :3])[:-3000], "corrupt or cut short"),
    ],
)
def test_what_can_not_be_deblurred_is_refused_by_a_sentence_that_names_it(data, message):
    with pytest.raises(PhotoError, match=rf"^photo\.x: .*{message}"):
        decode(data, "photo.x")


def test_a_png_whose_pixels_are_damaged_is_refused_where_its_end_is_whole():
    data = bytearray(encoded(LEVELS, "PNG"))
    place = data.index(b"IDAT") + 4
    data[place + 100 : place + 200] = bytes(100)
    with pytest.raises(PhotoError, match="corrupt or cut short"):
        decode(bytes(data), "photo")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_too_small_for_a_network_is_refused_before_it_is_decoded(format):
    with pytest.raises(PhotoError, match=r"^photo: found 31×15 px, expected 16 px or more each way$"):
        decode(encoded(LEVELS[:15, :, :3], format), "photo")
    assert decode(encoded(LEVELS[:16, :16, :3], format), "photo").levels.shape == (16, 16, 3)


def test_who_takes_fewer_formats_and_fewer_megapixels_has_them_named():
    limits = Limits(0.001, "send a smaller one", ("png", "jpeg"))
    with pytest.raises(PhotoError, match=r"^row 3: found a TIFF, expected PNG or JPEG$"):
        decode(deep_tiff(DEEP[..., :3]), "row 3", limits)
    with pytest.raises(PhotoError, match=r"^row 3: found 31×24 px.*, expected 0\.0005 at most; send a smaller one$"):
        decode(encoded(LEVELS, "PNG"), "row 3", replace(limits, megapixels=0.0005))


def test_no_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("sftdec.photos.photo_file.levels_of", full)
    source = tmp_path / "a.png"
    source.write_bytes(encoded(LEVELS, "PNG"))
    with pytest.raises(PhotoError, match=r"a\.png: no memory was left for it; allow less"):
        deblur_photo_file(None, Targets(source, tmp_path / "out.png"))


def test_a_jpeg_has_no_alpha():
    with pytest.raises(PhotoError, match="no alpha"):
        written(encoded(LEVELS, "PNG"), format="jpeg")


def test_more_megapixels_than_allowed_are_refused_before_they_are_decoded_and_let_through_if_asked():
    picture = Image.new("1", (14_000, 14_000))
    bomb = io.BytesIO()
    picture.save(bomb, "PNG")
    with pytest.raises(PhotoError, match=r"14000×14000 px, 196 megapixels, expected 100 .*--max-megapixels"):
        decode(bomb.getvalue()[:200], "bomb")  # the pixels aren't even there
    assert decode(bomb.getvalue(), "large", Limits(200)).levels.shape == (14_000, 14_000, 1)
