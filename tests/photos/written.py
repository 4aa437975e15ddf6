"""Small photos of every kind that is read, as files' bytes."""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sftdec.photos.photo import Encoding, Photo
from sftdec.photos.photo_encoding import encode_photo
from sftdec.photos.png_chunks import deep_png

DEEP = np.random.default_rng(0).integers(0, 65536, (24, 31, 4), np.uint16)
LEVELS = (DEEP >> 8).astype(np.uint8)
PROFILE = bytes(36) + b"acsp" + bytes(200)  # what it says doesn't matter here
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" b="kept"/></x:xmpmeta>'
MAKERS_NOTE = b"note, byte by byte " * 12


def encoded(levels: np.ndarray, format: str, **options: Any) -> bytes:
    """A file of 8-bit levels H×W×C as Pillow writes it."""
    written = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).save(written, format, **options)
    return written.getvalue()


def deep_tiff(levels: np.ndarray, compression: int = 5) -> bytes:
    """A TIFF of 16-bit levels H×W×C as OpenCV writes it; compression 1 is none, 5 is LZW, 8 deflate."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[levels.shape[2]]
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    return bytes(cv2.imencode(".tiff", np.ascontiguousarray(levels[..., order]), options)[1].tobytes())


def tiff_of_floats(levels: np.ndarray) -> bytes:
    """A TIFF of 32-bit floats H×W×C."""
    return encode_photo(Photo(levels.astype(np.float32), Encoding("tiff", {"compression": "raw"})))


def exact_files() -> dict[str, tuple[bytes, np.ndarray]]:
    """A file of each kind that keeps every level, and its levels."""
    files: dict[str, tuple[bytes, np.ndarray]] = {}
    for channels in (1, 2, 3, 4):
        eight, sixteen = LEVELS[..., :channels], DEEP[..., :channels]
        files[f"{channels}.png"] = encoded(eight, "PNG"), eight
        files[f"{channels}_16.png"] = deep_png(sixteen), sixteen
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            files[f"{channels}_{compression}.tif"] = encoded(eight, "TIFF", compression=compression), eight
        if channels != 2:
            files |= {f"{channels}_{number}_16.tif": (deep_tiff(sixteen, number), sixteen) for number in (1, 5, 8)}
        if channels > 2:
            files[f"{channels}.webp"] = encoded(eight, "WEBP", lossless=True, exact=True), eight
    return files


def exif(orientation: int = 6) -> bytes:
    """An EXIF block: camera, exposure, a maker's note, GPS, and how it was held."""
    block = Image.Exif()
    block[0x0112], block[0x010F] = orientation, "camera"
    block[0x8769] = {0x829A: 0.01, 0x927C: MAKERS_NOTE}
    block[0x8825] = {1: "N"}
    return block.tobytes()
