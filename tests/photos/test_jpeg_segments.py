"""What a JPEG holds beside its pixels, in the JPEG that it becomes: byte for byte, but for what other pixels belie."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from sftdec.photos.photo_encoding import encode_photo, told_otherwise
from sftdec.photos.photo_file import decode
from tests.photos.written import LEVELS, PROFILE, XMP, encoded, exif

EXIF, COM = 0xE1, 0xFE
XMP_HEAD, MORE_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
GUID = b"0123456789ABCDEF0123456789ABCDEF"
ALONE = (0xD8, *range(0xD0, 0xD8), 0x01)  # markers without content


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """The segments up to the pixels."""
    place, found = 2, []
    while data[place + 1] != 0xDA:
        assert data[place] == 0xFF and data[place + 1] not in ALONE
        length = struct.unpack_from(">H", data, place + 2)[0]
        found.append((data[place + 1], data[place + 4 : place + 2 + length]))
        place += 2 + length
    return found


def beside_pixels(data: bytes) -> list[tuple[int, bytes]]:
    """Application segments and comments."""
    return [(number, content) for number, content in segments(data) if number >= 0xE0]


def packed(number: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, number, 2 + len(content)) + content


def with_added(jpeg: bytes, *added: tuple[int, bytes]) -> bytes:
    """A JPEG with these segments after its first one."""
    place = 4 + struct.unpack_from(">H", jpeg, 4)[0]
    return jpeg[:place] + b"".join(packed(*each) for each in added) + jpeg[place:]


def more_xmp() -> list[tuple[int, bytes]]:
    """XMP of 150,000 bytes, as Adobe's specification divides it: identity, whole length, place, and a part."""
    whole = b"<x>" + bytes(range(32, 127)) * 1580 + b"</x>"
    parts = [(place, whole[place : place + 65_000]) for place in range(0, len(whole), 65_000)]
    assert len(parts) == 3
    heads = [MORE_XMP_HEAD + GUID + struct.pack(">II", len(whole), place) for place, _ in parts]
    return [(0xE1, head + part) for head, (_, part) in zip(heads, parts, strict=True)]


def written(data: bytes, **told: object) -> bytes:
    return encode_photo(told_otherwise(decode(data, "photo"), **told))  # type: ignore[arg-type]


def unlike(block: bytes, other: bytes) -> int:
    return sum(a != b for a, b in zip(block, other, strict=True))


@pytest.mark.parametrize("told", [{}, {"quality": 60}])
@pytest.mark.parametrize("channels", [1, 3])
def test_segments_come_out_byte_for_byte_in_their_order_and_say_upright(channels, told):
    kept = [
        (0xE0, b"CIFF, not the JFIF header"),
        *more_xmp(),
        *((0xE1, b"FLIR\0\1" + bytes([number, 2]) + b"\xff\xd8\xff\xda" * 9000) for number in range(3)),
        (0xE2, b"FPXR\0 flash"),
        (0xE3, b"Meta\0\0 a camera's"),
        (0xE6, b"GoPro\0DEVC" + bytes(range(256)) * 200),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x78\0\x07a river\0\0"),
        (0xED, b"another editor's"),
        (0xEC, b"Ducky\0\1\0\4\0\0\0\x50"),
        (COM, b"one comment"),
        (COM, b""),
        (COM, b"and another"),
    ]
    plain = encoded(LEVELS[..., :channels], "JPEG", exif=exif(6), icc_profile=PROFILE * 500, xmp=XMP, quality=95)
    source = with_added(plain, *kept)
    before, after = beside_pixels(source), beside_pixels(written(source, **told))
    assert [number for number, _ in after] == [number for number, _ in before]
    changed = [(a, b) for a, b in zip(before[1:], after[1:], strict=True) if a != b]
    assert len([each for each in after if each[1].startswith(b"ICC_PROFILE\0")]) == 2
    (exif_before, exif_after), (xmp_before, xmp_after) = changed  # and nothing else
    assert exif_after[1][:6] == b"Exif\0\0" and unlike(exif_before[1], exif_after[1]) == 1  # 6 → 1
    assert xmp_after[1] == XMP_HEAD + XMP.replace(b'Orientation="6"', b'Orientation="1"') and unlike(
        xmp_before[1], xmp_after[1]
    )


def test_pillow_and_opencv_read_what_was_written_and_all_the_rest_of_the_file_is_the_encoders():
    source = with_added(
        encoded(LEVELS[..., :3], "JPEG", exif=exif(6), quality=95, subsampling=0), *more_xmp(), (0xE6, b"GoPro\0")
    )
    result = written(source)
    found, photo = Image.open(io.BytesIO(result)), decode(source, "photo")
    assert found.size == (24, 31) and found.getexif()[0x0112] == 1
    read = cv2.imdecode(np.frombuffer(result, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(read, np.asarray(found)) and np.abs(read - photo.levels.astype(int)).mean() < 10
    bare = encoded(photo.levels, "JPEG", dpi=photo.attachments.dpi, **photo.encoding.options)
    assert with_added(bare, *beside_pixels(result)[1:]) == result


def test_what_only_the_pixels_as_they_were_bear_out_is_left_behind():
    colours = encoded(LEVELS[..., :3], "JPEG", keep_rgb=True, quality=95)  # says so in an Adobe segment
    assert [number for number, _ in beside_pixels(colours)] == [0xEE]
    left = [
        (0xE0, b"JFXX\0\x10 a thumbnail"),
        (0xE2, b"MPF\0 where other pictures are"),
        (0xE8, b"SPIFF\0 its size"),
        (0xEB, b"JP\0\1 a signature"),
    ]
    usual = encoded(LEVELS[..., :3], "JPEG", dpi=(300, 200), quality=95, subsampling=0)
    for source in (colours, with_added(usual, (0xEE, b"Adobe\0\x64\0\0\0\0\1"))):
        result = written(with_added(source, *left, (COM, b"kept")))
        (header, content), *others = beside_pixels(result)
        assert header == 0xE0 and content.startswith(b"JFIF\0") and others == [(COM, b"kept")]
        difference = np.abs(np.asarray(Image.open(io.BytesIO(result))).astype(int) - LEVELS[..., :3])
        assert difference.mean() < 10  # other colours are 80 away
    assert Image.open(io.BytesIO(result)).info["dpi"] == (300, 200)


def test_an_mpos_second_picture_goes_with_the_segment_that_points_to_it():
    other = Image.fromarray(LEVELS[..., 1:])
    source = encoded(LEVELS[..., :3], "MPO", save_all=True, append_images=[other], exif=exif(6))
    assert any(content.startswith(b"MPF\0") for _, content in beside_pixels(source))
    result = written(source)
    assert not any(content.startswith(b"MPF\0") for _, content in beside_pixels(result))
    assert Image.open(io.BytesIO(result)).format == "JPEG" and result.count(b"\xff\xd8\xff") == 1


def test_exif_that_fills_several_segments_stays_divided_as_it_was():
    block = exif(6).removeprefix(b"Exif\0\0") + bytes(range(256)) * 500
    parts = [(EXIF, b"Exif\0\0" + block[place : place + 65_000]) for place in range(0, len(block), 65_000)]
    assert len(parts) == 2
    source = with_added(encoded(LEVELS[..., :3], "JPEG"), *parts)
    after = beside_pixels(written(source))[1:]
    assert unlike(after[0][1], parts[0][1]) == 1 and after[1:] == parts[1:]
    assert Image.open(io.BytesIO(written(source))).getexif()[0x0112] == 1


@pytest.mark.parametrize("format", ["png", "tiff", "webp"])
def test_other_formats_get_what_they_have_a_place_for_and_no_segment(format):
    plain = encoded(LEVELS[..., :3], "JPEG", exif=exif(1), icc_profile=PROFILE, xmp=XMP)
    added = with_added(plain, *more_xmp(), (0xE1, b"FLIR\0"), (0xE6, b"GoPro\0"), (COM, b"a comment"))
    assert written(added, format=format) == written(plain, format=format)
