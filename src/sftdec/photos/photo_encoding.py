"""Photos into files: as they lay in the file they come from, or as they are told."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.photos.errors import PhotoError
from sftdec.photos.images import eight_bits, png_bytes
from sftdec.photos.jpeg_segments import EXIF_HEAD, with_segments
from sftdec.photos.photo_file import EDITORS_TAGS, PIXEL_TAGS, Attachments, Encoding, Photo
from sftdec.photos.png_chunks import deep_png, dots_chunk, profile_chunk, with_chunks, xmp_chunk
from sftdec.photos.tiff_tags import SHORT, Entry, Tags, add_directory, read_tags, shorts, tiff_of, undefined

QUALITY = {"jpeg": 95, "webp": 90}  # where the photo comes from a format without losses, or one that doesn't say
_DIFFERENCED = ("tiff_lzw", "tiff_adobe_deflate", "zstd")
_KEPT_COMPRESSIONS = (*_DIFFERENCED, "raw", "packbits", "jpeg")


def told_otherwise(photo: Photo, format: str | None = None, quality: int | None = None) -> Photo:
    """The same photo to be written in another format or quality (1 to 100, for JPEG and WebP).

    Raises:
        PhotoError: a JPEG of what can be seen through, which it has no place for.
    """
    encoding = photo.encoding
    if format is not None and format != encoding.format:
        if format == "jpeg" and photo.has_alpha:
            raise PhotoError("a JPEG has no alpha, and this photo has; expected --format png, tiff or webp")
        lossless = encoding.format in ("png", "tiff")
        defaults: dict[str, dict[str, Any]] = {
            "jpeg": {"quality": QUALITY["jpeg"], "subsampling": 0},
            "tiff": {"compression": "tiff_adobe_deflate"},
            "webp": {"lossless": lossless},
        }
        encoding = Encoding(format, defaults.get(format, {}))
    if quality is not None and encoding.format in ("jpeg", "webp"):
        others = {key: value for key, value in encoding.options.items() if key not in ("qtables", "lossless")}
        encoding = Encoding(encoding.format, others | {"quality": quality})
    return replace(photo, encoding=encoding)


def encode_photo(photo: Photo) -> bytes:
    """The file's bytes: pixels, profile, EXIF, XMP, IPTC and dots an inch; 16 bits become 8 in JPEG and WebP.

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
    except (ValueError, OSError) as error:
        raise PhotoError(f"can't be written as {photo.encoding.format.upper()} ({error})") from error


def _image(levels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _exif_of(attachments: Attachments) -> bytes | None:
    """The EXIF block for another format than TIFF, without the blocks that only a TIFF carries."""
    exif = attachments.exif
    if exif is None:
        return None
    tags = read_tags(exif)
    if tags.keys() & EDITORS_TAGS:
        return tiff_of({tag: entry for tag, entry in tags.items() if tag not in EDITORS_TAGS})
    return exif


def _lossy(photo: Photo) -> bytes:
    """JPEG and WebP."""
    attachments, format, options = photo.attachments, photo.encoding.format, dict(photo.encoding.options)
    if format == "webp":
        options = {"quality": QUALITY["webp"], "exact": True, **options}
        if options.get("lossless"):
            options["quality"] = 80  # how hard it tries: bytes, not pixels
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
    written = io.BytesIO()
    _image(eight_bits(photo.levels)).save(written, format, **options)
    return with_segments(written.getvalue(), segments) if segments else written.getvalue()


def _png(photo: Photo) -> bytes:
    attachments = photo.attachments
    is_deep = photo.levels.dtype == np.uint16
    pixels = deep_png(photo.levels) if is_deep else png_bytes(_image(photo.levels))
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
    written = io.BytesIO()
    if compression == "jpeg":
        _image(levels).save(written, "TIFF", compression="jpeg", quality=QUALITY["jpeg"])
        described: Mapping[int, Entry | Tags] = {}
    else:
        described = _write_disguised(written, levels, compression, bool(options.get("associated")))
    data = bytearray(written.getvalue())
    pixels = {tag: entry for tag, entry in read_tags(bytes(data)).items() if tag in PIXEL_TAGS}
    add_directory(data, _attached_tags(photo.attachments) | pixels | dict(described))
    return bytes(data)


def _write_disguised(
    written: io.BytesIO, levels: NDArray[Any], compression: str, associated: bool
) -> Mapping[int, Entry | Tags]:
    """Write the pixels' bytes as those of a wide grey picture; return the tags that say what they are.

    So Pillow compresses what it has no mode for: 16 bits a channel.
    """
    height, width, channels = levels.shape
    differenced = compression in _DIFFERENCED
    if differenced:  # TIFF's predictor 2, each sample less the one on its left
        levels = np.concatenate([levels[:, :1], levels[:, 1:] - levels[:, :-1]], axis=1)
    stored = np.ascontiguousarray(levels, levels.dtype.newbyteorder("<")).view(np.uint8).reshape(height, -1)
    Image.fromarray(stored).save(written, "TIFF", compression=compression)
    described: dict[int, Entry | Tags] = {
        256: Entry(4, 1, width.to_bytes(4, "little")),
        258: shorts(*[8 * levels.itemsize] * channels),
        262: shorts(2 if channels >= 3 else 1),
        277: shorts(channels),
        284: shorts(1),
    }
    if channels in (2, 4):
        described[338] = shorts(1 if associated else 2)
    if differenced:
        described[317] = shorts(2)
    return described


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
