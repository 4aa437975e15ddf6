"""Which kind a file is, by its bytes, and what is told of those that are no photo."""

import pytest

from sftdec.photos.errors import PhotoError
from sftdec.photos.formats import FORMATS, PHOTO_ENDINGS, RAW_ENDINGS, recognise


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"II*\0\x08\0\0\0\0\0", "tiff"),
        (b"MM\0*\0\0\0\x08\0\0", "tiff"),
        (b"RIFF\0\0\0\0WEBP", "webp"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "avif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf", "avif"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"BM\0\0", "bmp"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
        (b"\xff\x4f\xff\x51\0", "jp2"),
    ],
)
def test_kinds_are_known_by_their_first_bytes(head, kind):
    assert recognise(head, len(head), "photo") == kind


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"FOVb\0\0",
        b"II*\0\x10\0\0\0CR\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"\0MRM\0\0",
    ],
)
def test_a_cameras_raw_files_are_told_as_such_with_what_to_do(head):
    with pytest.raises(PhotoError, match=r"^IMG_1: found a camera's raw file, expected JPEG, .*; develop it first"):
        recognise(head, 10_000_000, "IMG_1")


def test_others_are_named_and_so_is_what_is_expected():
    for head, found in (
        (b"GIF89a", "a GIF"),
        (b"\xff\x0a\0", "a JPEG XL"),
        (b"", "an empty file"),
        (b"text", "4 bytes"),
    ):
        with pytest.raises(PhotoError, match=rf"^x: found {found}.*, expected PNG or JPEG$"):
            recognise(head, len(head), "x", ("png", "jpeg"))
    with pytest.raises(PhotoError, match=r"^x: found an AVIF, expected PNG or JPEG$"):
        recognise(b"\0\0\0\x14ftypavif\0\0\0\0avif", 99, "x", ("png", "jpeg"))


def test_no_ending_is_both_read_and_raw_and_each_is_of_one_kind():
    assert not set(PHOTO_ENDINGS) & set(RAW_ENDINGS) and len(set(PHOTO_ENDINGS)) == len(PHOTO_ENDINGS)
    assert all(ending == ending.lower() and ending.startswith(".") for ending in (*PHOTO_ENDINGS, *RAW_ENDINGS))
    assert all(FORMATS[kind.written].written == kind.written for kind in FORMATS.values())
