"""Which kinds of picture files there are: how each is recognised, and what is refused by its name."""

from collections.abc import Collection
from dataclasses import dataclass

from sftdec.photos.errors import PhotoError


@dataclass(frozen=True)
class Format:
    """A kind of file that is read.

    ``written``: what results are, unless they are asked for in another one; where it isn't this one, this one has no
    place for profiles and EXIF. ``longest``: px that a side of a result may have.
    """

    title: str
    endings: tuple[str, ...]  # compare with path.suffix.lower()
    written: str
    longest: int = 1 << 30


FORMATS = {
    "jpeg": Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "jpeg", 65500),
    "png": Format("PNG", (".png",), "png"),
    "tiff": Format("TIFF", (".tif", ".tiff"), "tiff"),
    "webp": Format("WebP", (".webp",), "webp", 16383),
    "avif": Format("AVIF", (".avif",), "avif", 65536),
    "heic": Format("HEIC", (".heic", ".heif", ".hif"), "heic", 65536),
    "bmp": Format("BMP", (".bmp", ".dib"), "png"),
    "jp2": Format("JPEG 2000", (".jp2", ".j2k", ".j2c"), "png"),
    "pfm": Format("PFM", (), "tiff"),  # values, and never light
}
PHOTO_FORMATS = tuple(name for name, kind in FORMATS.items() if kind.endings)
PHOTO_ENDINGS = tuple(ending for kind in FORMATS.values() for ending in kind.endings)
RAW_ENDINGS: tuple[str, ...] = (".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos")
RAW_ENDINGS += (".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f")
DEVELOP = "develop it first, with darktable or RawTherapee for instance, and take the TIFF or JPEG that it gives"

_SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"BM": "bmp",
    b"Pf\n": "pfm",
    b"\0\0\0\x0cjP  \r\n\x87\n": "jp2",
    b"\xff\x4f\xff\x51": "jp2",
}
_OTHERS = {
    b"GIF8": "a GIF",
    b"%PDF": "a PDF",
    b"II+\0": "a BigTIFF",
    b"MM\0+": "a BigTIFF",
    b"\xff\x0a": "a JPEG XL",
    b"\0\0\0\x0cJXL ": "a JPEG XL",
    b"v/1\x01": "an OpenEXR",
    b"8BPS": "a Photoshop document",
    b"gimp xcf": "a GIMP document",
}
_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"II\x1a\0\0\0HEAPCCDR", b"\0MRM")
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
HEAD = 64  # bytes of a file that ``recognise`` is given


def recognise(data: bytes, length: int, name: str, formats: Collection[str] = PHOTO_FORMATS) -> str:
    """Which of ``formats`` a file of ``length`` bytes is by the first of them; the ending of its name says nothing.

    Raises:
        PhotoError: none of them; the message calls the file ``name``.
    """
    kind = _kind(data)
    if kind in formats:
        return kind
    *most, last = (FORMATS[each].title for each in formats)
    expected = f"expected {', '.join(most)} or {last}"
    if data.startswith(_RAW) or data[8:10] == b"CR" or data[4:12] == b"ftypcrx ":
        raise PhotoError(f"{name}: found a camera's raw file, {expected}; {DEVELOP}")
    others = (what for signature, what in _OTHERS.items() if data.startswith(signature))
    nothing = f"{length} bytes that are no picture" if length else "an empty file"
    of_kind = f"{'an' if kind == 'avif' else 'a'} {FORMATS[kind].title}" if kind else None
    raise PhotoError(f"{name}: found {of_kind or next(others, nothing)}, {expected}")


def _kind(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4]), HEAD)
        brands = {data[8:12], *(data[place : place + 4] for place in range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        return "heic" if brands & _HEIC_BRANDS else ""
    if data[:4] in (b"II*\0", b"MM\0*") and data[8:10] == b"CR":
        return ""  # Canon's raw file, a TIFF of its own kind
    return next((kind for signature, kind in _SIGNATURES.items() if data.startswith(signature)), "")
