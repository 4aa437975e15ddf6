"""Masks out of files."""

import numpy as np
import pytest

from sftdec.photos.errors import PhotoError
from sftdec.photos.mask_file import decode_mask, read_mask
from tests.photos.written import DEEP, LEVELS, PROFILE, deep_tiff, encoded, exif

GREY = LEVELS[..., :1]
OPAQUE = np.full_like(GREY, 255)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(GREY, "PNG"), GREY),
        (encoded(np.repeat(GREY, 3, axis=2), "PNG"), GREY),
        (encoded(np.concatenate([GREY, OPAQUE], axis=2), "PNG"), GREY),
        (encoded(np.repeat(GREY, 3, axis=2), "WEBP", lossless=True), GREY),
        (deep_tiff(DEEP[..., :1]), DEEP[..., :1]),
        (encoded(GREY, "PNG", exif=exif(6)), np.rot90(GREY, -1)),
    ],
)
def test_grey_levels_of_any_file_are_a_mask_upright_and_in_their_own_depth(tmp_path, content, expected):
    (tmp_path / "mask").write_bytes(content)
    found = read_mask(tmp_path / "mask")
    assert found.dtype == expected.dtype and np.array_equal(found, expected[..., 0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found an empty file"),
        (b"no picture", "bytes that are no picture"),
        (encoded(LEVELS[..., :3], "PNG"), "mask in colours, expected grey levels; save it as plain grey"),
        (encoded(LEVELS[..., :2], "PNG"), "mask with alpha"),
        (encoded(GREY, "PNG", icc_profile=PROFILE), "mask with a colour profile, expected plain levels"),
        (encoded(GREY * 0, "PNG"), "mask that is all black, expected white where"),
    ],
)
def test_what_leaves_open_how_much_is_meant_is_refused_by_name(content, said):
    with pytest.raises(PhotoError, match=f"^mine.png: .*{said}"):
        decode_mask(content, "mine.png")
