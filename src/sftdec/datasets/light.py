"""Light and colour of a pair's two photos: what their files say of it, and both as sRGB where that differs."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sftdec.optics import linear_to_srgb
from sftdec.photos import Photo, eight_bits, read_picture
from sftdec.runtime import DataError

_SRGB_GAMMA = 45455  # as a PNG's gAMA says it: light to this power of 1/100000 is the level
_NEARLY = 2  # levels that a profile may differ from sRGB by and be it, under one of its many names
_GREY, _COLOURED = 1.0, 6.0  # levels between the channels of what has no colours, and of what surely has
_APART = 4  # px between those that are looked at
_STEPS = np.linspace(0, 255, 9).round().astype(np.uint8)
_SPREAD = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(27, 27, 3)  # colours from all over RGB
Levels = NDArray[np.uint8]


def read_pair_levels(blurred: Path, sharp: Path) -> tuple[Levels, Levels]:
    """Two photos that belong together, uint8 H×W×3: as they lie, but both as sRGB where profiles or gammas differ.

    Raises:
        DataError: a picture that can't be read, one that is grey beside one in colours, or a profile of other colours.
    """
    pair = read_picture(blurred), read_picture(sharp)
    colour = [_colourfulness(photo) for photo in pair]
    grey_one = pair[int(colour[1] < colour[0])]
    if min(colour) < _GREY and max(colour) > _COLOURED and not _is_flat(grey_one):
        grey, coloured = (blurred, sharp) if grey_one is pair[0] else (sharp, blurred)
        raise DataError(
            f"{grey}: a grey photo, but {coloured} is in colours; a pair has one kind: save both alike, or take it out "
            "of the data set"
        )
    said = [(_profile(photo), _gamma(photo)) for photo in pair]
    if said[0] == said[1]:
        return eight_bits(pair[0].colour), eight_bits(pair[1].colour)
    return _as_srgb(pair[0], *said[0], blurred), _as_srgb(pair[1], *said[1], sharp)


def _colourfulness(photo: Photo) -> float:
    """Levels between a pixel's channels, on average over some."""
    return float(np.ptp(eight_bits(photo.colour[::_APART, ::_APART]).astype(np.int16), axis=2).mean())


def _is_flat(photo: Photo) -> bool:
    """Whether it is black, or of one level: a frame that was dropped, as the checks will say."""
    return float(eight_bits(photo.colour[::_APART, ::_APART]).std()) < _GREY


def _profile(photo: Photo) -> bytes | None:
    """A photo's ICC profile; None where that is sRGB, or nothing."""
    profile = photo.attachments.profile
    if not profile:
        return None
    try:
        if photo.is_grey:
            same = _converted(_STEPS[None], profile)[..., 0].astype(int) - _STEPS
        else:
            same = _converted(_SPREAD, profile).astype(int) - _SPREAD
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken one says nothing
    return None if np.abs(same).max() <= _NEARLY else profile


def _gamma(photo: Photo) -> int | None:
    """What a PNG's gAMA says; None where that is sRGB's, or something else says more."""
    chunks = dict(photo.attachments.chunks)
    if chunks.keys() & {b"iCCP", b"sRGB", b"cICP"} or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    gamma = int.from_bytes(chunks[b"gAMA"])
    return None if gamma == 0 or abs(gamma - _SRGB_GAMMA) < 0.05 * _SRGB_GAMMA else gamma


def _as_srgb(photo: Photo, profile: bytes | None, gamma: int | None, path: Path) -> Levels:
    if profile is not None:
        levels = eight_bits(photo.colour)
        try:
            return _converted(levels[..., 0] if photo.is_grey else levels, profile)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            raise DataError(f"{path}: its profile isn't one of these colours ({error}); convert it to sRGB") from error
    if gamma is not None:
        whole = photo.colour.astype(np.float32)
        light = whole if photo.levels.dtype == np.float32 else whole / np.iinfo(photo.levels.dtype).max
        return eight_bits(linear_to_srgb(light ** np.float32(100_000 / gamma)).astype(np.float32))
    return eight_bits(photo.colour)


def _converted(levels: Levels, profile: bytes) -> Levels:
    """Levels H×W (grey) or H×W×3 from a profile's colours to sRGB's, H×W×3."""
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    given, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    picture = ImageCms.profileToProfile(Image.fromarray(levels), given, srgb, intent, "RGB")
    return np.asarray(picture)
