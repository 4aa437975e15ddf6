"""Dead-leaves scenes: opaque shapes of random size, colour and texture, each at its own depth.

Leaves whose size follows a power law occlude one another as things in photos do (Lee, Mumford & Huang 2001, "Occlusion
models for natural images"). Since every leaf is whole, what lies behind an edge is known, and so defocus and
occlusion are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from sftdec.optics import Layer, ThinLens, srgb_to_linear

Image = NDArray[np.float32]
_SUBSAMPLES = 3  # per pixel and axis, for the outline of a leaf


@dataclass(frozen=True)
class LeavesModel:
    """How dense and how large: ``depths`` sheets, each covered by about ``coverage`` of its area, leaf radii in px
    drawn with density ∝ r^-``exponent`` between ``smallest`` and ``largest`` (a share of the scene's side).
    """

    depths: int = 14
    coverage: float = 0.22
    smallest: float = 3.0
    largest: float = 0.35
    exponent: float = 2.2


def _power_law(low: float, high: float, exponent: float, generator: np.random.Generator) -> float:
    share = generator.random()
    power = 1 - exponent
    return float((low**power + share * (high**power - low**power)) ** (1 / power))


def _photo_texture(height: int, width: int, photo: NDArray[np.uint8], generator: np.random.Generator) -> Image:
    """A piece of a photo, always shrunk so that it is sharp, with its colours shuffled."""
    for _ in range(4):
        scale = generator.uniform(0.35, 0.75)
        rows = min(photo.shape[0], int(np.ceil(height / scale)))
        columns = min(photo.shape[1], int(np.ceil(width / scale)))
        top = generator.integers(photo.shape[0] - rows + 1)
        left = generator.integers(photo.shape[1] - columns + 1)
        piece = photo[top : top + rows, left : left + columns]
        if piece.std() > 8:
            break
    small = (max(1, min(height, round(rows * 0.75))), max(1, min(width, round(columns * 0.75))))
    texture = resize(piece, small, order=1, anti_aliasing=True).astype(np.float32)
    repeats = (-(-height // small[0]), -(-width // small[1]))
    if repeats != (1, 1):  # continue by mirroring: no edge where the piece ends
        texture = np.pad(texture, ((0, height - small[0]), (0, width - small[1]), (0, 0)), mode="symmetric")
    texture = texture[:height, :width, generator.permutation(3)]
    if generator.random() < 0.5:
        texture = np.rot90(texture, 2)
    contrast = generator.uniform(0.6, 1.3)
    return np.asarray((texture - texture.mean()) * contrast + generator.uniform(0.2, 0.8), np.float32)


def _noise_texture(height: int, width: int, generator: np.random.Generator) -> Image:
    """Coloured noise whose spectrum falls as 1/f^a, a between 0.8 and 1.8, around a random colour."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    fall = (np.hypot(rows, columns) + 1 / max(height, width)) ** -generator.uniform(0.8, 1.8)
    white = np.fft.rfft2(generator.standard_normal((height, width)))
    pattern = np.fft.irfft2(white * fall, (height, width))
    pattern /= pattern.std() + 1e-6
    colour, tint = generator.uniform(0.1, 0.9, 3), generator.uniform(0.3, 1, 3) * generator.uniform(0.03, 0.2)
    return np.asarray(colour + pattern[..., None] * tint, np.float32)


def _stripes_texture(height: int, width: int, generator: np.random.Generator) -> Image:
    """Stripes or checks of two colours at a random angle, period 3 to 24 px, hard or soft."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = generator.uniform(0, np.pi), float(np.exp(generator.uniform(np.log(3), np.log(24))))
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    if generator.random() < 0.4:
        wave = wave * np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / period)
    share = 0.5 + 0.5 * np.clip(wave * generator.uniform(1, 4), -1, 1)[..., None]
    first, second = generator.uniform(0, 1, 3), generator.uniform(0, 1, 3)
    return np.asarray(first * share + second * (1 - share), np.float32)


def _shaded_texture(height: int, width: int, generator: np.random.Generator) -> Image:
    """One colour under a soft shade."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    slope = generator.normal(0, 0.12, 2)
    shade = (x - 0.5) * slope[0] + (y - 0.5) * slope[1]
    return np.asarray(generator.uniform(0.02, 0.98, 3) + shade[..., None], np.float32)


def _texture(
    height: int, width: int, photos: Sequence[NDArray[np.uint8]], generator: np.random.Generator
) -> Image:
    """A texture in linear light, H×W×3: a photo's piece (six in ten where there are photos), noise, stripes or shade."""
    kind = generator.random()
    if photos and kind < 0.6:
        texture = _photo_texture(height, width, photos[generator.integers(len(photos))], generator)
    elif kind < 0.75:
        texture = _noise_texture(height, width, generator)
    elif kind < 0.85:
        texture = _stripes_texture(height, width, generator)
    else:
        texture = _shaded_texture(height, width, generator)
    return srgb_to_linear(np.clip(texture, 0, 1))


def _outline(radius: float, generator: np.random.Generator) -> tuple[NDArray[np.float32], int]:
    """Coverage of one leaf, (2R+1)×(2R+1), and R: an ellipse, a bar or a polygon with rounded or straight sides."""
    aspect = float(np.exp(generator.uniform(0, np.log(2.5))))
    kind = generator.random()
    if kind < 0.25:
        aspect = float(np.exp(generator.uniform(np.log(3), np.log(14))))  # bars: branches, cables, legs
    reach = int(np.ceil(radius * np.sqrt(aspect))) + 1
    offsets = (np.arange((2 * reach + 1) * _SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5 - reach
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    angle = generator.uniform(0, np.pi)
    u = (x * np.cos(angle) + y * np.sin(angle)) / (radius * np.sqrt(aspect))
    v = (y * np.cos(angle) - x * np.sin(angle)) / (radius / np.sqrt(aspect))
    if kind < 0.45:
        inside = np.maximum(np.abs(u), np.abs(v)) <= 0.7
    elif kind < 0.75:
        inside = u**2 + v**2 <= 1
    else:
        around = np.arctan2(v, u)
        lobes = generator.integers(3, 9)
        wave = 1 + generator.uniform(0.1, 0.4) * np.cos(lobes * around + generator.uniform(0, 6.3))
        inside = np.hypot(u, v) <= 0.7 * wave
    side = 2 * reach + 1
    covered = inside.reshape(side, _SUBSAMPLES, side, _SUBSAMPLES).mean(axis=(1, 3))
    return covered.astype(np.float32), reach


def _paint_leaf(
    colour: Image, alpha: NDArray[np.float32], radius: float, photos: Sequence[NDArray[np.uint8]], generator: np.random.Generator
) -> None:
    """Paint one leaf over a sheet, in place; it may reach beyond the sheet."""
    height, width = alpha.shape
    covered, reach = _outline(radius, generator)
    row, column = int(generator.integers(height)), int(generator.integers(width))
    top, bottom = max(0, row - reach), min(height, row + reach + 1)
    left, right = max(0, column - reach), min(width, column + reach + 1)
    covered = covered[top - row + reach : bottom - row + reach, left - column + reach : right - column + reach]
    texture = _texture(bottom - top, right - left, photos, generator)
    old = alpha[top:bottom, left:right]
    total = covered + old * (1 - covered)
    share = np.divide(covered, total, out=np.zeros_like(covered), where=total > 0)[..., None]
    colour[top:bottom, left:right] = texture * share + colour[top:bottom, left:right] * (1 - share)
    alpha[top:bottom, left:right] = total


def dead_leaves(
    size: tuple[int, int],
    inverse_depths: NDArray[np.float64],
    photos: Sequence[NDArray[np.uint8]],
    generator: np.random.Generator,
    model: LeavesModel = LeavesModel(),  # noqa: B008 - frozen
) -> list[tuple[Image, NDArray[np.float32]]]:
    """Sheets of leaves from far to near: colour H×W×3 in linear light and coverage H×W, one for each inverse depth.

    The farthest covers everything. ``photos`` (uint8 H×W×3) lend their textures; there may be none.
    """
    height, width = size
    sheets = []
    for number in range(len(inverse_depths)):
        if number == 0:
            colour = _texture(height, width, photos, generator)
            alpha = np.ones(size, np.float32)
        else:
            colour, alpha = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
        wanted, painted = model.coverage * height * width * (3 if number == 0 else 1), 0.0
        while painted < wanted:
            radius = _power_law(model.smallest, model.largest * min(size), model.exponent, generator)
            _paint_leaf(colour, alpha, radius, photos, generator)
            painted += 3 * radius**2
        sheets.append((np.clip(colour, 0, 1), alpha))
    return sheets


def focused_layers(
    sheets: Sequence[tuple[Image, NDArray[np.float32]]], depths_m: NDArray[np.float64], lens: ThinLens
) -> tuple[list[Layer], list[Layer], NDArray[np.float32]]:
    """The sheets as seen through a lens and, all in focus, through a pinhole; and the visible radius (px), H×W.

    At each pixel the radius is that of the nearest sheet that covers at least half of it.
    """
    radii = lens.coc_radius(depths_m)
    seen = [Layer(colour, alpha, float(radius)) for (colour, alpha), radius in zip(sheets, radii, strict=True)]
    pinhole = [Layer(colour, alpha, 0.0) for colour, alpha in sheets]
    visible = np.full(sheets[0][1].shape, abs(radii[0]), np.float32)
    for (_, alpha), radius in zip(sheets, radii, strict=True):
        visible[alpha >= 0.5] = abs(radius)
    return seen, pinhole, visible
