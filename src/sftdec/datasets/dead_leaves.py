"""Dead-leaves scenes: opaque shapes of random size, colour and texture, each at its own depth.

Leaves whose size follows a power law occlude one another as things in photos do (Lee, Mumford & Huang 2001, "Occlusion
models for natural images"). Since every leaf is whole, what lies behind an edge is known, and so defocus and
occlusion are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize

from sftdec.datasets.photos import recipe_photo
from sftdec.optics import Layer, ThinLens, srgb_to_linear

Image = NDArray[np.float32]
_SCALES = (0.4, 0.5, 0.6, 0.7)  # of the photos that lend textures
_LEAST_GRADIENT = 0.012  # of a piece of a photo, a px in sRGB 0..1: less is sky, or out of focus in the photo itself


@dataclass(frozen=True)
class LeavesModel:
    """How dense, how large and of what: each sheet is covered by about ``coverage`` of its area, with leaf radii in px
    drawn with density ∝ r^-``exponent`` between ``smallest`` and ``largest`` (a share of the scene's side).

    Of the leaves, shares ``photos``, ``noise`` and ``stripes`` have such a texture, the others are shaded. Noise falls
    as 1/f^a with a slope a drawn from ``slopes``; ``perspective`` is by how much its surface may recede, as a share of
    its distance.
    """

    coverage: float = 0.22
    smallest: float = 3.0
    largest: float = 0.35
    exponent: float = 2.2
    photos: float = 0.5
    noise: float = 0.12
    stripes: float = 0.08
    slopes: tuple[float, float] = (0.8, 1.8)
    perspective: float = 0.0


# vibrant: as VibrantLeaves has them (Achddou, Gousseau & Ladjal 2025), who leave out photos; a sixth keeps them here.
LEAVES = {
    "crowded": LeavesModel(),
    "vibrant": LeavesModel(exponent=3.0, photos=1 / 6, noise=2 / 3, stripes=1 / 12, slopes=(0.5, 2.5), perspective=0.6),
}


def draw_model(generator: np.random.Generator, kind: str = "crowded") -> LeavesModel:
    """A random density, from crowded scenes of small leaves to a few large ones, of one of the ``LEAVES``."""
    smallest = float(np.exp(generator.uniform(np.log(3), np.log(14))))
    coverage, largest = float(generator.uniform(0.1, 0.25)), float(generator.uniform(0.25, 0.6))
    return replace(LEAVES[kind], coverage=coverage, smallest=smallest, largest=largest)


def _power_law(low: float, high: float, exponent: float, generator: np.random.Generator) -> float:
    share = generator.random()
    power = 1 - exponent
    return float((low**power + share * (high**power - low**power)) ** (1 / power))


@lru_cache(maxsize=256)
def _shrunk(name: str, scale: float) -> Image:
    """A photo shrunk by ``scale``, sRGB 0..1: always below 1, so that its pieces are sharp."""
    photo = recipe_photo(name)
    size = (round(photo.shape[0] * scale), round(photo.shape[1] * scale))
    return np.asarray(resize(photo, size, order=1, anti_aliasing=True), np.float32)


def _photo_texture(height: int, width: int, photos: Sequence[str], generator: np.random.Generator) -> Image:
    """A piece of a photo with its colours shuffled, mirrored on where the photo ends."""
    for _ in range(4):
        photo = _shrunk(photos[int(generator.integers(len(photos)))], float(generator.choice(_SCALES)))
        rows, columns = min(photo.shape[0], height), min(photo.shape[1], width)
        top = generator.integers(photo.shape[0] - rows + 1)
        left = generator.integers(photo.shape[1] - columns + 1)
        texture = photo[top : top + rows, left : left + columns]
        if np.abs(np.diff(texture, axis=0)).mean() > _LEAST_GRADIENT:
            break
    if (rows, columns) != (height, width):
        texture = np.pad(texture, ((0, height - rows), (0, width - columns), (0, 0)), mode="symmetric")
    texture = texture[..., generator.permutation(3)] if generator.random() < 0.5 else texture
    if generator.random() < 0.5:
        texture = texture[:, ::-1]
    contrast = generator.uniform(0.7, 1.3)
    return np.asarray((texture - 0.5) * contrast + 0.5 + generator.uniform(-0.2, 0.2), np.float32)


def _colour(generator: np.random.Generator) -> NDArray[np.float64]:
    """An sRGB colour of any brightness and, as most things have, little chroma."""
    chroma = generator.normal(0, generator.uniform(0, 0.2), 3)
    return np.asarray(np.clip(generator.uniform(0.03, 0.97) + chroma - chroma.mean(), 0, 1))


def _noise_texture(height: int, width: int, model: LeavesModel, generator: np.random.Generator) -> Image:
    """Coloured noise whose spectrum falls as 1/f^a, a one of the model's slopes, around a random colour."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    fall = (np.hypot(rows, columns) + 1 / max(height, width)) ** -generator.uniform(*model.slopes)
    white = np.fft.rfft2(generator.standard_normal((height, width)))
    pattern = np.fft.irfft2(white * fall, (height, width))
    pattern /= pattern.std() + 1e-6
    if model.perspective > 0:
        pattern = _receding(pattern, model.perspective, generator)
    tint = generator.uniform(0.6, 1, 3) * generator.uniform(0.03, 0.2)
    return np.asarray(_colour(generator) + pattern[..., None] * tint, np.float32)


def _receding(pattern: NDArray[np.float64], strength: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """A pattern H×W as on a surface that recedes in a random direction, at its far end ``strength`` times as far again
    at most; mirrored where it ends.
    """
    height, width = pattern.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    angle, slope = generator.uniform(0, 2 * np.pi), generator.uniform(0, strength)
    along = ((y - height / 2) * np.sin(angle) + (x - width / 2) * np.cos(angle)) / max(height, width)
    distance = 1 + slope * (along + 0.5)
    seen = [(places - middle) * distance + middle for places, middle in ((y, height / 2), (x, width / 2))]
    return np.asarray(ndimage.map_coordinates(pattern, seen, order=1, mode="mirror"))


def _stripes_texture(height: int, width: int, generator: np.random.Generator) -> Image:
    """Stripes or checks of two colours at a random angle, period 3 to 24 px, hard or soft."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = generator.uniform(0, np.pi), float(np.exp(generator.uniform(np.log(3), np.log(24))))
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    if generator.random() < 0.4:
        wave = wave * np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / period)
    share = 0.5 + 0.5 * np.clip(wave * generator.uniform(1, 4), -1, 1)[..., None]
    first, second = _colour(generator), _colour(generator)
    return np.asarray(first * share + second * (1 - share), np.float32)


def _shaded_texture(height: int, width: int, generator: np.random.Generator) -> Image:
    """One colour under a soft shade."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    slope = generator.normal(0, 0.12, 2)
    shade = (x - 0.5) * slope[0] + (y - 0.5) * slope[1]
    return np.asarray(_colour(generator) + shade[..., None], np.float32)


def _texture(
    height: int, width: int, photos: Sequence[str], model: LeavesModel, generator: np.random.Generator
) -> Image:
    """A texture in linear light, H×W×3: a photo's piece, noise, stripes or shade."""
    kind = generator.random()
    if photos and kind < model.photos:
        texture = _photo_texture(height, width, photos, generator)
    elif kind < model.photos + model.noise:
        texture = _noise_texture(height, width, model, generator)
    elif kind < model.photos + model.noise + model.stripes:
        texture = _stripes_texture(height, width, generator)
    else:
        texture = _shaded_texture(height, width, generator)
    return srgb_to_linear(np.clip(texture, 0, 1))


def _outline(radius: float, generator: np.random.Generator) -> tuple[NDArray[np.float32], int]:
    """Coverage of one leaf, (2R+1)×(2R+1), and R: an ellipse, a rectangle, a bar or a lobed leaf.

    A pixel's coverage is its distance inside the outline, cut to ±½ px: as sharp as a lens in focus.
    """
    kind = generator.random()
    low, high = (3, 14) if kind < 0.25 else (1, 2.5)
    aspect = float(np.exp(generator.uniform(np.log(low), np.log(high))))
    long, short = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    reach = int(np.ceil(long)) + 1
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    angle = generator.uniform(0, np.pi)
    along = offsets * np.cos(angle) + offsets[:, None] * np.sin(angle)
    across = offsets[:, None] * np.cos(angle) - offsets * np.sin(angle)
    if kind < 0.45:  # a quarter are bars: branches, cables, legs
        inside = np.minimum(0.7 * long - np.abs(along), 0.7 * short - np.abs(across))
    else:
        u, v = along / long, across / short
        rho = np.hypot(u, v) + 1e-6
        slope = np.hypot(u / long, v / short) / rho  # of rho, a px
        edge: NDArray[np.float32] | float = 1.0
        if kind > 0.75:
            lobes, turn = generator.integers(3, 9), generator.uniform(0, 6.3)
            edge = 0.7 * (1 + generator.uniform(0.1, 0.4) * np.cos(lobes * np.arctan2(v, u) + turn))
        inside = (edge - rho) / (slope + 1e-6)
    return np.clip(inside + 0.5, 0, 1).astype(np.float32), reach


def _paint_leaf(
    colour: Image,
    alpha: NDArray[np.float32],
    radius: float,
    photos: Sequence[str],
    model: LeavesModel,
    generator: np.random.Generator,
) -> None:
    """Paint one leaf over a sheet, in place; it may reach beyond the sheet."""
    height, width = alpha.shape
    covered, reach = _outline(radius, generator)
    row, column = int(generator.integers(height)), int(generator.integers(width))
    top, bottom = max(0, row - reach), min(height, row + reach + 1)
    left, right = max(0, column - reach), min(width, column + reach + 1)
    covered = covered[top - row + reach : bottom - row + reach, left - column + reach : right - column + reach]
    texture = _texture(bottom - top, right - left, photos, model, generator)
    old = alpha[top:bottom, left:right]
    total = covered + old * (1 - covered)
    share = np.divide(covered, total, out=np.zeros_like(covered), where=total > 0)[..., None]
    colour[top:bottom, left:right] = texture * share + colour[top:bottom, left:right] * (1 - share)
    alpha[top:bottom, left:right] = total


def dead_leaves(
    size: tuple[int, int],
    inverse_depths: NDArray[np.float64],
    photos: Sequence[str],
    generator: np.random.Generator,
    model: LeavesModel = LeavesModel(),
) -> list[tuple[Image, NDArray[np.float32]]]:
    """Sheets of leaves from far to near: colour H×W×3 in linear light and coverage H×W, one for each inverse depth.

    The farthest covers everything. ``photos`` (as ``recipe_photo`` takes them) lend their textures; there may be none.
    """
    height, width = size
    sheets = []
    for number in range(len(inverse_depths)):
        if number == 0:
            colour = _texture(height, width, photos, model, generator)
            alpha = np.ones(size, np.float32)
        else:
            colour, alpha = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
        wanted, painted = model.coverage * height * width * (3 if number == 0 else 1), 0.0
        while painted < wanted:
            radius = _power_law(model.smallest, model.largest * min(size), model.exponent, generator)
            _paint_leaf(colour, alpha, radius, photos, model, generator)
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
