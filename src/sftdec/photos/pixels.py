"""A picture's decoded pixels as levels: what Pillow gives as it gives it, and 16 bits in colour, which it would cut."""

from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from sftdec.photos.errors import PhotoError
from sftdec.photos.tiff_pixels import Page
from sftdec.runtime import needs_extra

_MOST_TEXT = 64 * 1024 * 1024  # bytes that a PNG's text or profile may become: Pillow's usual 1 MiB is too little
_PNG_GREY_ALPHA = 4  # the colour type, in the 26th byte; Pillow makes RGBA of it in 16 bits
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16L", "I;16B")
_JP2_PIXELS, _JP2_DEPTH = b"\xff\x4f\xff\x51", 42  # where they begin, and their depth stands after that
_SRGB = ({0, 1, 2}, {0, 1, 2, 6, 13})  # primaries, and curves, that a picture of sRGB says it has, or nothing


def opened(kind: str, file: IO[bytes], name: str) -> Image.Image:
    """A file as Pillow opens it, by the plugin itself: ``Image.open`` would try others, and has a limit of its own.

    Raises:
        PhotoError: a HEIC file without the extra that reads it.
    """
    if kind == "png":
        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = _MOST_TEXT
    if kind == "heic":
        try:
            with needs_extra(f"{name}: found a HEIC, which"):
                from pillow_heif import HeifImageFile
        except ModuleNotFoundError as error:  # installed before there was such an extra
            raise PhotoError(f"{name}: found a HEIC, which needs the package pillow-heif; install it by pip") from error
        except ValueError as error:
            raise PhotoError(str(error)) from error
        return HeifImageFile(file)  # type: ignore[no-any-return]
    return _OPENERS[kind](file)


_OPENERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,  # of an MPO, a camera's JPEG with others behind it, the first
    "png": PngImagePlugin.PngImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "jp2": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "pfm": PpmImagePlugin.PpmImageFile,
}


def refuse_unknown(picture: Image.Image, kind: str, data: bytes, page: Page | None, name: str) -> None:
    """Refuse, before it is decoded, what would be read as something else than it is.

    Raises:
        PhotoError: an animation, or colours or a depth that no one here reads right; the message calls it ``name``.
    """
    found = None
    if kind not in ("jpeg", "tiff", "heic") and getattr(picture, "is_animated", False):
        found, expected, mend = "an animation", "one picture", "save the one to be deblurred by itself"
    elif picture.mode not in _MODES and kind != "pfm":
        hint = " (a print's inks, whose colours hang on its profile)" if picture.mode == "CMYK" else ""
        found, expected = f"colours of the kind {picture.mode}{hint}", "grey or RGB in 8 or 16 bits a channel"
        mend = "convert it first"
    elif page is not None and page.samples != len(picture.getbands()):
        found, expected = f"a TIFF of {page.samples} channels of {page.bits} bits", "grey or RGB, with or without alpha"
        mend = "convert it first"
    elif kind == "jp2" and (bits := _jp2_bits(data)) > 8:
        found, expected = f"a JPEG 2000 of {bits} bits", "8 bits a channel"
        mend = "save it as a TIFF or PNG of 16 bits"
    elif kind in ("avif", "heic") and (curve := _other_light(picture, data)):
        found, expected, mend = f"colours that aren't sRGB ({curve})", "sRGB or an ICC profile", "convert it first"
    if found:
        raise PhotoError(f"{name}: found {found}, expected {expected}; {mend}")


def _jp2_bits(data: bytes) -> int:
    place = data.find(_JP2_PIXELS) + _JP2_DEPTH
    return (data[place] & 127) + 1 if _JP2_DEPTH <= place < len(data) else 8


def _other_light(picture: Image.Image, data: bytes) -> str:
    """What an AVIF or HEIC without a profile says of its colours, where that isn't sRGB (wide or HDR)."""
    place = data.find(b"colrnclx")
    if picture.info.get("icc_profile") or place < 0:
        return ""
    primaries, curve = (int.from_bytes(data[place + at : place + at + 2]) for at in (8, 10))
    if primaries in _SRGB[0] and curve in _SRGB[1]:
        return ""
    return {16: "PQ, HDR", 18: "HLG, HDR"}.get(curve, f"primaries {primaries}, curve {curve}")


def png_bits(data: bytes) -> int:
    """Bits a channel of a PNG."""
    return data[24] if len(data) > 24 else 0


def levels_of(picture: Image.Image, kind: str, data: bytes) -> NDArray[Any]:
    """The decoded pixels, uint8 or uint16, H×W×C, not turned yet."""
    if picture.mode.startswith("I;16"):
        return _with_key(np.asarray(picture).astype(np.uint16)[..., None], picture)
    if kind == "png" and png_bits(data) == 16:
        return _with_key(_deep_levels(data, picture), picture)
    see_through = "transparency" in picture.info or picture.mode == "PA"
    if see_through and kind == "png" and picture.mode == "L":  # the key is as it lies, the levels are Pillow's
        picture.info["transparency"] *= 255 // (2 ** png_bits(data) - 1)
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if see_through else "RGB")
    elif picture.mode == "1" or see_through:
        picture = picture.convert({"RGB": "RGBA"}.get(picture.mode, "LA" if see_through else "L"))
    levels = np.asarray(picture)
    return levels if levels.ndim == 3 else levels[..., None]


def _deep_levels(data: bytes, picture: Image.Image) -> NDArray[Any]:
    """A PNG's 16-bit colour; Pillow, which cuts it to 8, is asked whether OpenCV has read the same."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a refusal is told in a sentence
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    high = np.asarray(picture)
    if found is not None and found.dtype == np.uint16 and found.ndim == 3 and found.shape[2] >= high.shape[2]:
        to_rgb = cv2.COLOR_BGR2RGB if high.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        levels: NDArray[Any] = cv2.cvtColor(found[..., : high.shape[2]], to_rgb)
        if np.array_equal(levels >> 8, high):
            return levels[..., 2:] if data[25] == _PNG_GREY_ALPHA else levels
    raise ValueError("its pixels differ from one reading to another")  # one has overlooked what is broken


def _with_key(levels: NDArray[Any], picture: Image.Image) -> NDArray[Any]:
    """Alpha in place of the one colour that a PNG of 16 bits says can be seen through."""
    key = picture.info.get("transparency")
    if key is None or levels.shape[2] not in (1, 3):
        return levels
    seen = (levels != np.asarray(key, np.uint16)).any(axis=2, keepdims=True)
    return np.concatenate([levels, np.where(seen, 65535, 0).astype(np.uint16)], axis=2)
