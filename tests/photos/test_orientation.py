"""What is said of a photo after it was turned, and of what lay behind it in its file."""

import io

import pytest
import tifffile
from PIL import Image

from sftdec.photos.orientation import upright_exif, upright_xmp
from sftdec.photos.photo_encoding import encode_photo
from sftdec.photos.photo_file import decode
from tests.photos.written import DEEP, LEVELS, encoded, exif

MOTION = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:GCamera="g" xmlns:Container="c" xmlns:Item="i" xmlns:hdrgm="h" xmlns:dc="d"
  GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion='1' GCamera:MotionPhotoPresentationTimestampUs="968644"
  GCamera:MicroVideoOffset="123" hdrgm:Version="1.0" dc:format="image/jpeg">
 <Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="video/mp4" Item:Length="9"/>
 </rdf:li></rdf:Seq></Container:Directory><hdrgm:GainMapMax>2.3</hdrgm:GainMapMax><dc:creator>me</dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def sized(orientation: int) -> bytes:
    """An EXIF block with width and height in both of its directories."""
    block = Image.Exif()
    block[0x0112], block[256], block[257] = orientation, 31, 24
    block[0x8769] = {0xA002: 31, 0xA003: 24, 0x829A: 0.01}
    return block.tobytes()


def sizes(data: bytes) -> tuple[int, ...]:
    found = Image.open(io.BytesIO(data)).getexif()
    inner = found.get_ifd(0x8769)
    return inner[0xA002], inner[0xA003]


@pytest.mark.parametrize(("orientation", "expected"), [(1, (31, 24)), (3, (31, 24)), (6, (24, 31)), (8, (24, 31))])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_width_and_height_in_exif_are_those_of_the_turned_photo(format, orientation, expected):
    options = {"tiffinfo": Image.Exif()} if format == "TIFF" else {}
    if format == "TIFF":
        options["tiffinfo"].load(sized(orientation))
    data = encoded(LEVELS[..., :3], format, exif=sized(orientation), **options)
    photo = decode(data, "photo")
    assert photo.levels.shape[:2] == expected[::-1] and sizes(encode_photo(photo)) == expected


def test_in_the_block_only_they_change_places():
    block = sized(6).removeprefix(b"Exif\0\0")
    found = Image.Exif()
    found.load(upright_exif(block, 6))
    assert (found[256], found[257], found[0x0112]) == (24, 31, 1)
    assert found.get_ifd(0x8769)[0x829A] == 0.01 and len(upright_exif(block, 6)) == len(block)
    assert upright_exif(upright_exif(block, 6), 1) == upright_exif(block, 6)


def test_a_tiff_of_16_bits_has_the_size_it_was_turned_to():
    written = io.BytesIO()
    tifffile.imwrite(written, DEEP[..., :3], photometric="rgb", metadata=None, extratags=[(274, 3, 1, 6, True)])
    photo = decode(written.getvalue(), "photo")
    assert photo.levels.shape == (31, 24, 3)
    assert Image.open(io.BytesIO(encode_photo(photo))).size == (24, 31)


def test_xmp_says_upright_and_the_new_size():
    xmp = b'<a tiff:Orientation="6" exif:PixelXDimension="31" exif:PixelYDimension="24" tiff:ImageWidth="31"/>'
    turned = b'<a tiff:Orientation="1" exif:PixelYDimension="31" exif:PixelXDimension="24" tiff:ImageLength="31"/>'
    assert upright_xmp(xmp, 6) == turned
    assert upright_xmp(xmp, 3) == xmp.replace(b'"6"', b'"1"')


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_xmp_says_nothing_of_a_film_or_gain_map_that_is_left_behind(format):
    data = encoded(LEVELS[..., :3], format, xmp=MOTION, exif=exif(1))
    xmp = decode(data, "photo").attachments.xmp or b""
    if format == "PNG":  # Pillow has no way to write it
        xmp = upright_xmp(MOTION, 1)
    assert not any(word in xmp for word in (b"MotionPhoto", b"MicroVideo=", b"Directory", b"hdrgm:", b"Item:Length"))
    assert b'dc:format="image/jpeg"' in xmp and b"<dc:creator>me</dc:creator>" in xmp and b"MicroVideoOffset" not in xmp
    assert xmp.count(b"<rdf:Description") == xmp.count(b"</rdf:Description>") == 1
