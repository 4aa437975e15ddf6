"""A photo in memory: its levels, how they lay in their file, and what the file says beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sftdec.photos.jpeg_segments import Segment
from sftdec.photos.png_chunks import Chunk


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
    """A photo, upright: ``levels`` are H×W×C, C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).

    They are uint8, uint16, or float32, of which 1 is white and what is above it brighter.
    """

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
        """H×W×3 without alpha; grey three times, floats within 0..1."""
        light = self.colour_as_stored
        return np.clip(light, 0, 1) if light.dtype == np.float32 else light

    @property
    def colour_as_stored(self) -> NDArray[Any]:
        """As ``colour``, floats as they are."""
        return np.repeat(self.levels[..., :1], 3, axis=2) if self.is_grey else self.levels[..., :3]

    def with_colour(self, colour: NDArray[Any]) -> "Photo":
        """The same photo with other light, H×W×3 of the same type: of a grey one the three's mean. Alpha stays, and
        so does how far floats were beyond 0..1.
        """
        light = colour
        if colour.dtype == np.float32:
            light = colour + (self.colour_as_stored - self.colour)
        if self.is_grey and light.dtype == np.float32:
            light = light.mean(axis=2, keepdims=True)
        elif self.is_grey:  # rounded: of three equal ones it is that one
            light = ((light.sum(axis=2, keepdims=True, dtype=np.uint32) + 1) // 3).astype(light.dtype)
        alpha = self.levels[..., -1:]
        return replace(self, levels=np.concatenate([light, alpha], axis=2) if self.has_alpha else light)

    def straight(self) -> "Photo":
        """The same photo with light that isn't multiplied by its alpha, as a TIFF may have it and no other format."""
        options = dict(self.encoding.options)
        if not options.pop("associated", False):
            return self
        light, alpha = self.levels[..., :-1], self.levels[..., -1:]
        full = 1.0 if self.levels.dtype == np.float32 else float(np.iinfo(self.levels.dtype).max)
        divided = light * (full / np.maximum(alpha.astype(np.float64), full / 65535))
        if self.levels.dtype != np.float32:
            divided = np.rint(np.minimum(divided, full))
        levels = np.concatenate([divided.astype(self.levels.dtype), alpha], axis=2)
        return replace(self, levels=levels, encoding=replace(self.encoding, options=options))


def eight_bits(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Levels of 8 or 16 bits, or floats, rounded to 8 bits."""
    if levels.dtype == np.uint8:
        return levels
    if levels.dtype == np.float32:
        levels = np.clip(levels, 0, 1) * np.float32(65535)
    return np.asarray(np.rint(levels / np.float32(257)).astype(np.uint8))


def integers(levels: NDArray[Any]) -> NDArray[Any]:
    """Levels as they are, but floats as 16 bits."""
    if levels.dtype != np.float32:
        return levels
    return np.asarray(np.rint(np.clip(levels, 0, 1) * np.float32(65535)).astype(np.uint16))
