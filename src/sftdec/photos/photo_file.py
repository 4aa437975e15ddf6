"""Photos out of files: pixels as they are to be seen, with what else the file says, to be written again."""

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from sftdec.photos.errors import SMALLEST_SIDE, PhotoError
from sftdec.photos.images import eight_bits
from sftdec.photos.jpeg_segments import EXIF_HEAD, Segment, carried_segments
from sftdec.photos.orientation import ORIENTATION, UPRIGHT, orientation_of, upright, upright_exif, upright_xmp
from sftdec.photos.png_chunks import Chunk, carried_chunks
from sftdec.photos.tiff_tags import read_tags, tiff_of

MAX_MEGAPIXELS = 100.0  # a bomb's few kilobytes may claim any number; a camera's don't claim more
FORMATS = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WebP"}
_SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"II*\0": "tiff", b"MM\0*": "tiff"}
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"%PDF": "a PDF", b"II+\0": "a BigTIFF", b"MM\0+": "a BigTIFF"}
_OPENERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,  # of an MPO, a camera's JPEG with others behind it, the first
    "png": PngImagePlugin.PngImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
}
_GREY_AND_COLOUR = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16L", "I;16B")
_PNG_GREY_ALPHA = 4  # the colour type, in the 26th byte; Pillow makes RGBA of it in 16 bits
# A TIFF's tags that say how its pixels lie, or are kept apart: resolution by its unit, XMP, the profile.
PIXEL_TAGS = frozenset((*range(254, 267), *range(273, 282), 284, 290, 291, 292, 293, 317, *range(320, 326), 330, 332))
PIXEL_TAGS |= frozenset((*range(338, 350), *range(512, 522), *range(529, 533), 559))
APART_TAGS = frozenset((ORIENTATION, 700, 34675))
EDITORS_TAGS = frozenset((33723, 34377, 37724))  # IPTC and Photoshop's blocks: a TIFF's own, of any size


@dataclass(frozen=True)
class Limits:
    """What is taken: files of ``formats``, of ``megapixels`` at most; ``mend`` is what to do about a larger one.

    ``deep``: 16 bits a channel stay. Otherwise they become 8: grey is rounded, colour cut.
    """

    megapixels: float = MAX_MEGAPIXELS
    mend: str = "allow more with --max-megapixels"
    formats: Collection[str] = tuple(FORMATS)
    deep: bool = True


@dataclass(frozen=True)
class Encoding:
    """How a photo lies in its file: ``format`` is one of ``FORMATS``, ``options`` are ``encode_photo``'s own."""

    format: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachments:
    """What a file says beside its pixels, after the camera's rotation was applied; None where it says nothing.

    ``exif`` is a block from its byte order on; ``dpi`` dots an inch, across and down; ``chunks`` are a PNG's own.
    ``segments`` are a JPEG's, profile, EXIF and XMP among them: in a JPEG they are written in place of these three.
    """

    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[Chunk, ...] = ()
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Photo:
    """A photo, upright: ``levels`` are uint8 or uint16, H×W×C, C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)."""

    levels: NDArray[Any]
    encoding: Encoding
    attachments: Attachments = Attachments()

    @property
    def is_grey(self) -> bool:
        """Whether it has one channel of light."""
        return int(self.levels.shape[2]) <= 2

    @property
    def has_alpha(self) -> bool:
        """Whether its last channel is alpha."""
        return self.levels.shape[2] in (2, 4)

    @property
    def colour(self) -> NDArray[Any]:
        """H×W×3 without alpha; grey three times."""
        return np.repeat(self.levels[..., :1], 3, axis=2) if self.is_grey else self.levels[..., :3]

    def with_colour(self, colour: NDArray[Any]) -> "Photo":
        """The same photo with other light, H×W×3 of the same type: of a grey one the three's mean. Alpha stays."""
        light = colour
        if self.is_grey:  # rounded: of three equal ones it is that one
            light = ((colour.sum(axis=2, keepdims=True, dtype=np.uint32) + 1) // 3).astype(colour.dtype)
        alpha = self.levels[..., -1:]
        return replace(self, levels=np.concatenate([light, alpha], axis=2) if self.has_alpha else light)


def read_photo_file(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """The photo of a JPEG (or MPO), PNG, TIFF or WebP file, turned as its EXIF says.

    Raises:
        PhotoError: as ``decode``.
        OSError: a file that can't be read.
        MemoryError: a file there is no room for.
    """
    return decode(path.read_bytes(), str(path), Limits(max_megapixels))


def decode(data: bytes, name: str, limits: Limits = Limits()) -> Photo:
    """The photo that a file's bytes are, turned as its EXIF says; messages call it ``name``.

    Raises:
        PhotoError: none of the formats, damaged, of several pages, too large, too small, or of colours other than grey
            and RGB in 8 or 16 bits.
        MemoryError: there is no room for it.
    """
    kind = _recognise(data, name, limits.formats)
    try:  # the plugin itself: Image.open would try others, and has a limit of its own
        picture = _OPENERS[kind](io.BytesIO(data))
        deep = _refuse_unusable(picture, kind, data, name, limits) and limits.deep
        options = _options(picture, kind, data, deep)
        picture.load()
        orientation = UPRIGHT if kind == "tiff" else orientation_of(picture)  # a TIFF is turned by Pillow and OpenCV
        levels = upright(_levels(picture, kind, data, name, deep), orientation)
        attachments = _attachments(picture, kind, data, orientation)
    except (PhotoError, MemoryError):  # memory says nothing of the file
        raise
    except Exception as error:  # whatever a decoder can fail with at a damaged file
        told = str(error).strip() or type(error).__name__
        raise PhotoError(f"{name}: the picture is corrupt or cut short ({told}); replace the file") from error
    levels = np.ascontiguousarray(levels if limits.deep else eight_bits(levels))
    return Photo(levels, Encoding(kind, options), attachments)


def _recognise(data: bytes, name: str, formats: Collection[str]) -> str:
    """Which of ``formats`` a file's bytes are; the ending of its name says nothing."""
    known = (kind for signature, kind in _SIGNATURES.items() if data.startswith(signature))
    kind = "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else next(known, "")
    if kind in formats:
        return kind
    others = (what for signature, what in _OTHERS.items() if data.startswith(signature))
    nothing = f"{len(data)} bytes that are no picture" if data else "an empty file"
    what = f"a {FORMATS[kind]}" if kind else next(others, nothing)
    *most, last = (FORMATS[each] for each in formats)
    raise PhotoError(f"{name}: found {what}, expected {', '.join(most)} or {last}")


def _refuse_unusable(picture: Image.Image, kind: str, data: bytes, name: str, limits: Limits) -> bool:
    """Refuse before decoding; returns whether there are 16 bits a channel."""
    width, height = picture.size
    if width * height > limits.megapixels * 1e6:
        raise PhotoError(
            f"{name}: found {width}×{height} px, {width * height / 1e6:.4g} megapixels, expected "
            f"{limits.megapixels:g} at most; {limits.mend}"
        )
    if min(width, height) < SMALLEST_SIDE:
        raise PhotoError(f"{name}: found {width}×{height} px, expected {SMALLEST_SIDE} px or more each way")
    if kind != "jpeg" and getattr(picture, "is_animated", False):
        what = "several pages" if kind == "tiff" else "an animation"
        raise PhotoError(f"{name}: found {what}, expected one picture; save the one to be deblurred by itself")
    if picture.mode not in _GREY_AND_COLOUR:
        mend = " (a print's inks, whose colours hang on its profile)" if picture.mode == "CMYK" else ""
        raise PhotoError(
            f"{name}: found colours of the kind {picture.mode}{mend}, expected grey or RGB in 8 or 16 bits a channel; "
            "convert it first"
        )
    bits, samples, fits = (8, None, True) if not isinstance(picture, TiffImagePlugin.TiffImageFile) else _tiff(picture)
    if kind == "png":
        bits = data[24]
    if not fits:
        raise PhotoError(
            f"{name}: found a TIFF of {samples} channels of {bits} bits, expected grey or RGB, with or without alpha, "
            "in 8 or 16 bits a channel; convert it first"
        )
    return bits == 16


def _tiff(picture: TiffImagePlugin.TiffImageFile) -> tuple[int, int | None, bool]:
    """Bits a channel, channels, and whether a TIFF's channels are those that its mode has."""
    tags = picture.tag_v2
    bits, samples = {int(each) for each in tags.get(258, (1,))}, int(tags.get(277, 1))
    usual = bits <= {1, 2, 4, 8} or bits == {16}
    return max(bits), samples, usual and len(bits) == 1 and samples == len(picture.getbands())


def _options(picture: Image.Image, kind: str, data: bytes, deep: bool) -> dict[str, Any]:
    """How it was encoded: asked before decoding, which forgets some of it."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(picture)
        return {
            "qtables": [list(picture.quantization[key]) for key in sorted(picture.quantization)],
            "subsampling": max(sampling, 0),  # rarer ones (4:4:0, 4:1:1): nothing is lost at 4:4:4
            "progressive": bool(picture.info.get("progressive")),
        }
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        tags = picture.tag_v2
        return {
            "compression": picture.info.get("compression", "raw"),
            "associated": deep and tuple(tags.get(338, ())) == (1,),
        }
    return {"lossless": _is_lossless_webp(data)} if kind == "webp" else {}


def _is_lossless_webp(data: bytes) -> bool:
    place = 12
    while place + 8 <= len(data):
        if (name := data[place : place + 4]) in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return False


def _levels(picture: Image.Image, kind: str, data: bytes, name: str, deep: bool) -> NDArray[Any]:
    """The decoded pixels, H×W×C, not turned yet."""
    if picture.mode.startswith("I;16"):
        grey = np.asarray(picture).astype(np.uint16)[..., None]
        grey = 65535 - grey if kind == "tiff" and picture.tag_v2.get(262) == 0 else grey  # type: ignore[attr-defined]
        return _with_key(grey, picture)
    if deep:
        return _with_key(_deep_levels(data, name, picture, kind == "png" and data[25] == _PNG_GREY_ALPHA), picture)
    see_through = "transparency" in picture.info or picture.mode == "PA"
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if see_through else "RGB")
    elif picture.mode == "1" or see_through:
        picture = picture.convert({"RGB": "RGBA"}.get(picture.mode, "LA" if see_through else "L"))
    levels = np.asarray(picture)
    return levels if levels.ndim == 3 else levels[..., None]


def _deep_levels(data: bytes, name: str, picture: Image.Image, is_grey: bool) -> NDArray[Any]:
    """16-bit colour, which Pillow cuts to 8, so that it can be asked whether OpenCV has read the same."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a refusal is told in a sentence
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    high = np.asarray(picture)
    if found is not None and found.dtype == np.uint16 and found.ndim == 3 and found.shape[2] >= high.shape[2]:
        to_rgb = cv2.COLOR_BGR2RGB if high.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        levels: NDArray[Any] = cv2.cvtColor(found[..., : high.shape[2]], to_rgb)
        premultiplied = picture.info.get("compression") and picture.getbands()[-1] == "A"
        same = slice(3, 4) if premultiplied else slice(None)  # Pillow divides by alpha what OpenCV leaves
        if np.array_equal(levels[..., same] >> 8, high[..., same]):
            return levels[..., 2:] if is_grey else levels
    if data.startswith(b"\x89PNG"):  # there is one layout: Pillow has overlooked what is broken
        raise ValueError("its pixels differ from one reading to another")
    raise PhotoError(
        f"{name}: found 16 bits a channel in a layout or compression that can't be read, expected PNG, or TIFF "
        "with its channels together and no compression, LZW or deflate; save it anew"
    )


def _with_key(levels: NDArray[Any], picture: Image.Image) -> NDArray[Any]:
    """Alpha in place of the one colour that a PNG of 16 bits says can be seen through."""
    key = picture.info.get("transparency")
    if key is None or levels.shape[2] not in (1, 3):
        return levels
    seen = (levels != np.asarray(key, np.uint16)).any(axis=2, keepdims=True)
    return np.concatenate([levels, np.where(seen, 65535, 0).astype(np.uint16)], axis=2)


def _attachments(picture: Image.Image, kind: str, data: bytes, orientation: int) -> Attachments:
    info = picture.info
    xmp, dpi = info.get("xmp"), info.get("dpi")
    if kind == "tiff":
        tags = read_tags(data)
        kept = {tag: entry for tag, entry in tags.items() if tag not in PIXEL_TAGS | APART_TAGS}
        exif = tiff_of(kept) if kept else None
    else:
        exif = _exif(picture)
    if dpi is not None and not all(np.isfinite(float(each)) and 0 < float(each) < 1e6 for each in dpi):
        dpi = None
    across, down = (float(dpi[0]), float(dpi[1])) if dpi is not None else (0.0, 0.0)
    segments = picture.applist if isinstance(picture, JpegImagePlugin.JpegImageFile) else []
    turned = (down, across) if orientation >= 5 else (across, down)
    return Attachments(
        profile=info.get("icc_profile") or None,
        exif=exif,
        xmp=upright_xmp(xmp) if isinstance(xmp, bytes) else None,
        dpi=turned if dpi is not None else None,
        chunks=carried_chunks(data) if kind == "png" else (),
        segments=carried_segments(segments, exif),
    )


def _exif(picture: Image.Image) -> bytes | None:
    """The EXIF block as it is in the file; one that a PNG hides in text is written anew."""
    block = picture.info.get("exif")
    if not isinstance(block, bytes):
        if "Raw profile type exif" not in picture.info:
            return None
        block = picture.getexif().tobytes()
    return upright_exif(block.removeprefix(EXIF_HEAD)) or None
