"""Photos into files: as they lay in the file they come from, or as they are told."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.attached import PIXEL_TAGS
from sftdec.photos.errors import PhotoError
from sftdec.photos.formats import FORMATS
from sftdec.photos.images import png_bytes
from sftdec.photos.jpeg_segments import EXIF_HEAD, XMP_HEAD, with_segments
from sftdec.photos.photo import Attachments, Encoding, Photo, eight_bits, integers
from sftdec.photos.png_chunks import dots_chunk, profile_chunk, with_chunks, xmp_chunk
from sftdec.photos.tiff_pixels import write_disguised
from sftdec.photos.tiff_tags import SHORT, Entry, Tags, add_directory, read_tags, shorts, tiff_of, undefined

# Where the photo comes from a format without losses, or one that doesn't say.
QUALITY = {"jpeg": 95, "webp": 90, "avif": 90, "heic": 90}
_KEPT_COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "zstd", "raw", "packbits", "jpeg")
_EDITORS_TAGS = frozenset((33723, 34377, 37724))  # IPTC and Photoshop's blocks: a TIFF's own, of any size
_JPEGS_EXIF = 65533 - len(EXIF_HEAD)  # bytes that one segment has
_JPEGS_XMP = 65533 - len(XMP_HEAD)


def told_otherwise(photo: Photo, format: str | None = None, quality: int | None = None) -> Photo:
    """The same photo to be written in another format or quality (1 to 100, for JPEG, WebP, AVIF and HEIC).

    Raises:
        PhotoError: what the format has no place for: alpha, a side as long, or an EXIF block as large.
    """
    encoding = photo.encoding
    if format is not None and format != encoding.format:
        photo = photo.straight()
        if format == "jpeg" and photo.has_alpha:
            raise PhotoError("a JPEG has no alpha, and this photo has; expected --format png, tiff or webp")
        lossless = encoding.format in ("png", "tiff")
        defaults: dict[str, dict[str, Any]] = {
            "jpeg": {"quality": QUALITY["jpeg"], "subsampling": 0},
            "tiff": {"compression": "tiff_adobe_deflate"},
            "webp": {"lossless": lossless},
            "avif": {"subsampling": "4:4:4"},
        }
        encoding = Encoding(format, defaults.get(format, {}))
    if quality is not None and encoding.format in QUALITY:
        others = {key: value for key, value in encoding.options.items() if key not in ("qtables", "lossless")}
        encoding = Encoding(encoding.format, others | {"quality": quality})
    told = replace(photo, encoding=encoding)
    _refuse_what_does_not_fit(told)
    return told


def _refuse_what_does_not_fit(photo: Photo) -> None:
    kind, (height, width) = FORMATS[photo.encoding.format], photo.levels.shape[:2]
    if max(height, width) > kind.longest:
        raise PhotoError(
            f"found {width}×{height} px, but a {kind.title} has {kind.longest} px a side at most; expected --format "
            "png or tiff"
        )
    if photo.encoding.format != "jpeg" or photo.attachments.segments:
        return
    blocks = {"EXIF": (_exif_of(photo.attachments), _JPEGS_EXIF), "XMP": (photo.attachments.xmp, _JPEGS_XMP)}
    for what, (block, room) in blocks.items():
        if block is not None and len(block) > room:
            raise PhotoError(
                f"found {len(block)} bytes of {what}, but a JPEG has room for {room}; expected --format png, tiff or "
                "webp"
            )


def encode_photo(photo: Photo) -> bytes:
    """The file's bytes: pixels, profile, EXIF, XMP, IPTC and dots an inch.

    16 bits and floats become 8 bits in JPEG, WebP, AVIF and HEIC, floats 16 in PNG.

    Raises:
        PhotoError: a picture that its format can't hold (a side too long, an EXIF block that is too large for a JPEG).
    """
    try:
        match photo.encoding.format:
            case "png":
                return _png(photo)
            case "tiff":
                return _tiff(photo)
            case _:
                return _lossy(photo)
    except MemoryError:
        raise
    except Exception as error:  # of a library, which a damaged block of the photo's may have surprised
        raise PhotoError(f"can't be written as {photo.encoding.format.upper()} ({error})") from error


def _image(levels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _exif_of(attachments: Attachments) -> bytes | None:
    """The EXIF block for another format than TIFF, without the blocks that only a TIFF carries."""
    exif = attachments.exif
    if exif is None:
        return None
    tags = read_tags(exif)
    if tags.keys() & _EDITORS_TAGS:
        return tiff_of({tag: entry for tag, entry in tags.items() if tag not in _EDITORS_TAGS})
    return exif


def _lossy(photo: Photo) -> bytes:
    """JPEG, WebP, AVIF and HEIC."""
    attachments, format, options = photo.attachments, photo.encoding.format, dict(photo.encoding.options)
    if format == "webp":
        options = {"quality": QUALITY["webp"], "exact": True, **options}
        if options.get("lossless"):
            options["quality"] = 80  # how hard it tries: bytes, not pixels
    elif format != "jpeg":
        options = {"quality": QUALITY[format], **options}
    elif attachments.dpi:
        options["dpi"] = attachments.dpi
    segments = attachments.segments if format == "jpeg" else ()
    if not segments:
        exif = _exif_of(attachments)
        given = {
            "exif": exif and EXIF_HEAD + exif,
            "icc_profile": attachments.profile,
            "xmp": attachments.xmp,
        }
        options |= {key: value for key, value in given.items() if value}
    written, image = io.BytesIO(), _image(eight_bits(photo.levels))
    if format == "heic":
        from pillow_heif import from_pillow

        image.info["icc_profile"] = options.pop("icc_profile", None)
        from_pillow(image).save(written, **options)
    else:
        image.save(written, format, **options)
    return with_segments(written.getvalue(), segments) if segments else written.getvalue()


def _png(photo: Photo) -> bytes:
    attachments = photo.attachments
    levels = integers(photo.levels)
    pixels = png_bytes(_image(levels) if levels.dtype == np.uint8 else levels)
    added = list(attachments.chunks)
    if attachments.profile and not any(name in (b"iCCP", b"cICP") for name, _ in added):
        added.append(profile_chunk(attachments.profile))
    if attachments.dpi:
        added.append(dots_chunk(attachments.dpi))
    if exif := _exif_of(attachments):
        added.append((b"eXIf", exif))
    if attachments.xmp:
        added.append(xmp_chunk(attachments.xmp))
    return with_chunks(pixels, added)


def _tiff(photo: Photo) -> bytes:
    levels, options = photo.levels, photo.encoding.options
    compression = {"tiff_deflate": "tiff_adobe_deflate"}.get(options["compression"], options["compression"])
    if compression not in _KEPT_COMPRESSIONS or (compression == "jpeg" and (photo.has_alpha or levels.itemsize > 1)):
        compression = "tiff_adobe_deflate"
    if compression == "jpeg":
        written = io.BytesIO()
        strip = max(1 << 16, 8 * levels[0].nbytes)  # a JPEG's blocks have 8 rows
        _image(levels).save(written, "TIFF", compression="jpeg", quality=QUALITY["jpeg"], strip_size=strip)
        content, described = written.getvalue(), Tags()
    else:
        content, described = write_disguised(levels, compression, bool(options.get("associated")))
    pixels = {tag: entry for tag, entry in read_tags(content).items() if tag in PIXEL_TAGS}
    data = bytearray(content)
    add_directory(data, _attached_tags(photo.attachments) | pixels | described)
    return bytes(data)


def _attached_tags(attachments: Attachments) -> Tags:
    """EXIF, XMP, profile and dots an inch as a TIFF's tags."""
    tags = read_tags(attachments.exif) if attachments.exif else {}
    tags = {tag: entry for tag, entry in tags.items() if tag not in PIXEL_TAGS}
    tags[274] = Entry(SHORT, 1, b"\1\0")
    if attachments.profile:
        tags[34675] = undefined(attachments.profile)
    if attachments.xmp:
        tags[700] = undefined(attachments.xmp, kind=1)
    if attachments.dpi and 282 not in tags:
        across, down = (Entry(5, 1, round(dots * 1000).to_bytes(4, "little") + (1000).to_bytes(4, "little"))
                        for dots in attachments.dpi)  # fmt: skip
        tags |= {282: across, 283: down, 296: shorts(2)}
    return tags
