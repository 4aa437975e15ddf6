"""Pairs whose files say different things of their light and colours, and those that say the same."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from sftdec.datasets.importers.pair import read_photos
from sftdec.datasets.light import read_pair_levels
from sftdec.datasets.listing import Entry
from sftdec.datasets.recognise import check_folder
from sftdec.optics import linear_to_srgb, srgb_to_linear
from sftdec.photos import deep_png
from sftdec.photos.png_chunks import with_chunks
from sftdec.runtime import DataError
from tests.datasets.importers.pictures import photo, soften

PHOTO = photo(48, 64, 0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile() -> bytes:
    """sRGB's profile with red and green changed for each other: as unlike it as a profile can be."""
    profile = SRGB
    red, green = (profile.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    swapped = bytearray(profile)
    swapped[red + 4 : red + 12], swapped[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(swapped)


def write(path, levels, **options):
    Image.fromarray(levels).save(path, **options)
    return path


def test_what_says_the_same_stays_as_it_lies(tmp_path):
    for number, profile in enumerate((None, SRGB, wide_profile(), b"broken" * 40)):
        paths = [write(tmp_path / f"{number}{part}.png", PHOTO, icc_profile=profile) for part in "ab"]
        assert all(np.array_equal(levels, PHOTO) for levels in read_pair_levels(*paths))


def test_srgb_by_any_name_is_what_no_profile_is(tmp_path):
    paths = write(tmp_path / "a.png", PHOTO), write(tmp_path / "b.png", PHOTO, icc_profile=SRGB)
    assert all(np.array_equal(levels, PHOTO) for levels in read_pair_levels(*paths))


@pytest.mark.parametrize("first", [True, False])
def test_one_of_another_profile_is_brought_to_srgb(tmp_path, first):
    stored = np.ascontiguousarray(PHOTO[..., [1, 0, 2]])  # what that profile calls red is green
    wide, plain = write(tmp_path / "wide.png", stored, icc_profile=wide_profile()), write(tmp_path / "a.png", PHOTO)
    found = read_pair_levels(*((wide, plain) if first else (plain, wide)))
    converted, other = found if first else found[::-1]
    assert np.array_equal(other, PHOTO) and np.abs(converted.astype(int) - PHOTO).max() <= 3


def test_a_png_in_linear_light_is_brought_to_srgb_from_16_bits(tmp_path):
    linear = np.rint(srgb_to_linear(PHOTO / np.float32(255)) * 65535).astype(np.uint16)
    path = tmp_path / "linear.png"
    path.write_bytes(with_chunks(deep_png(linear), [(b"gAMA", struct.pack(">I", 100_000))]))
    plain = write(tmp_path / "plain.png", PHOTO)
    converted, other = read_pair_levels(path, plain)
    assert np.array_equal(other, PHOTO) and np.abs(converted.astype(int) - PHOTO).max() <= 1
    both = read_pair_levels(path, path)  # linear on both sides: nobody knows what was meant
    assert np.array_equal(both[0], np.rint(linear / 257)) and np.array_equal(*both)
    expected = np.rint(linear_to_srgb(linear / 65535) * 255)
    assert np.array_equal(converted, expected)


def test_a_gamma_that_is_srgbs_or_that_a_profile_overrules_says_nothing(tmp_path):
    plain = write(tmp_path / "plain.png", PHOTO)
    for name, chunks in (
        ("usual", [(b"gAMA", struct.pack(">I", 45455))]),
        ("overruled", [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))]),
    ):
        path = tmp_path / f"{name}.png"
        path.write_bytes(with_chunks(plain.read_bytes(), chunks))
        assert all(np.array_equal(levels, PHOTO) for levels in read_pair_levels(path, plain))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_grey_photo_beside_one_in_colours_is_refused_and_two_grey_ones_are_not(tmp_path, mode):
    grey = Image.fromarray(PHOTO).convert("L").convert(mode)
    grey.save(tmp_path / "grey.png")
    plain = write(tmp_path / "plain.png", PHOTO)
    for pair in ((tmp_path / "grey.png", plain), (plain, tmp_path / "grey.png")):
        with pytest.raises(DataError, match=r"grey\.png: a grey photo, but .*plain\.png is in colours; a pair has one"):
            read_photos(Entry("a", "a", "test", *pair))
    Image.fromarray(PHOTO).convert("L").save(tmp_path / "other.png")
    assert np.array_equal(*read_pair_levels(tmp_path / "grey.png", tmp_path / "other.png"))


def test_the_check_tells_of_it_by_its_own_name(tmp_path):
    for part in ("blurred", "sharp"):
        (tmp_path / "mine" / part).mkdir(parents=True)
    write(tmp_path / "mine" / "sharp" / "a.png", PHOTO)
    Image.fromarray(soften(PHOTO, 1)).convert("L").save(tmp_path / "mine" / "blurred" / "a.png")
    (problem,) = check_folder(tmp_path / "mine").problems
    assert problem.check == "pair" and "a grey photo" in problem.reason


def test_a_dropped_frame_beside_a_coloured_photo_is_called_black_and_not_grey(tmp_path):
    (tmp_path / "mine" / "blurred").mkdir(parents=True)
    (tmp_path / "mine" / "sharp").mkdir()
    write(tmp_path / "mine" / "sharp" / "a.png", PHOTO)
    write(tmp_path / "mine" / "blurred" / "a.png", 0 * PHOTO)
    (problem,) = check_folder(tmp_path / "mine").problems
    assert problem.check == "pair" and "black or flat" in problem.reason
