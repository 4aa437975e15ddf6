"""A JPEG's segments before its pixels: what cameras and editors say beside these, moved from file to file as it is."""

from collections.abc import Iterable

from sftdec.photos.orientation import upright_xmp

EXIF_HEAD = b"Exif\0\0"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_LEFT_BEHIND = (
    ("APP0", b"JFIF\0"),  # the encoder writes its own
    ("APP0", b"JFXX\0"),  # a thumbnail, which lies as the pixels lay
    ("APP2", b"MPF\0"),  # where other pictures stand in the file, which are left behind, too
    ("APP2", b"urn:iso:std:iso:ts:21496:-1\0"),  # one of them brightens this one (a gain map)
    ("APP8", b"SPIFF\0"),  # size and kind of the pixels as they were
    ("APP11", b""),  # layers over the pixels as they were (JPEG XT, JPEG-HDR) and their signatures (C2PA)
    ("APP14", b"Adobe"),  # how colours are stored: the encoder has its own way
)
Segment = tuple[str, bytes]


def carried_segments(segments: Iterable[Segment], exif: bytes | None, orientation: int) -> tuple[Segment, ...]:
    """The segments, each its name (``APP0`` to ``APP15``, ``COM``) and content, that stay with other pixels.

    ``exif``: the block that the EXIF segments together are to hold now, of the length that it has in them;
    ``orientation``: how the pixels were turned.
    """
    kept, rest = [], exif or b""
    for name, content in segments:
        if any(name == left and content.startswith(head) for left, head in _LEFT_BEHIND):
            continue
        if name == "APP1" and content.startswith(EXIF_HEAD):
            length = len(content) - len(EXIF_HEAD)
            content, rest = EXIF_HEAD + rest[:length], rest[length:]
        elif name == "APP1" and content.startswith(XMP_HEAD):
            content = upright_xmp(content, orientation)
        kept.append((name, content))
    return tuple(kept)


def with_segments(jpeg: bytes, segments: Iterable[Segment]) -> bytes:
    """A JPEG, as an encoder has just written it, with segments added behind its first one, the JFIF header."""
    place = 4 + int.from_bytes(jpeg[4:6])
    added = b"".join(
        (0xFFFE if name == "COM" else 0xFFE0 + int(name.removeprefix("APP"))).to_bytes(2)
        + (2 + len(content)).to_bytes(2)
        + content
        for name, content in segments
    )
    return jpeg[:place] + added + jpeg[place:]
