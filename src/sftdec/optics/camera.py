"""From light on a sensor to the photo that a camera writes: noise, tone curve, denoising, sharpening, JPEG, 8 bits."""

import io
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from sftdec.optics.colour import add_noise, from_light, to_8bit

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
SUBSAMPLINGS: tuple[str, ...] = get_args(Subsampling)

_FINE = 1.0  # px, sigma: detail finer than this is where grain is looked for

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """How a camera develops light; as it stands, by the tone curve alone.

    - ``gamma``: ``from_light``'s
    - ``exposure``: what light is multiplied by before anything else
    - ``shot_noise``, ``read_noise``: ``add_noise``'s
    - ``tone``: share (0..1) of an S-curve laid over the values
    - ``denoise``: grey levels by which fine detail is made weaker
    - ``sharpen``, ``sharpen_px``: amount and sigma (px) of an unsharp mask
    - ``jpeg``, ``subsampling``: quality (1..100; 0: no JPEG) and how its colours are stored
    """

    gamma: float = 0.0
    exposure: float = 1.0
    shot_noise: float = 0.0
    read_noise: float = 0.0
    tone: float = 0.0
    denoise: float = 0.0
    sharpen: float = 0.0
    sharpen_px: float = 1.0
    jpeg: int = 0
    subsampling: Subsampling = "4:2:0"


def tone_curve(values: Values, strength: float) -> Values:
    """Values (0..1), any shape, with a share ``strength`` (0..1) of the S-curve 3v² - 2v³: black, middle grey and white
    stay, what is between them gains contrast. Every curve rises throughout.
    """
    if strength == 0:
        return values
    clipped = np.clip(values, 0, 1)
    return np.asarray(values + np.float32(strength) * (clipped**2 * (3 - 2 * clipped) - clipped), np.float32)


def denoise(values: Values, levels: float) -> Values:
    """Values, H×W×3 (0..1), whose detail finer than 1 px is made weaker by ``levels`` (of 255), at least to nothing.

    Coring, as cameras do it: what is weaker than the threshold is taken for grain, edges keep the most of their height.
    """
    if levels == 0:
        return values
    coarse = ndimage.gaussian_filter(values, _FINE, mode="nearest", axes=(0, 1))
    fine = values - coarse
    kept = np.sign(fine) * np.maximum(np.abs(fine) - np.float32(levels / 255), 0)
    return np.asarray(coarse + kept, np.float32)


def sharpen(values: Values, amount: float, sigma: float) -> Values:
    """Values, H×W×3 (0..1), with ``amount`` times their detail finer than ``sigma`` (px) added: an unsharp mask."""
    if amount == 0:
        return values
    coarse = ndimage.gaussian_filter(values, sigma, mode="nearest", axes=(0, 1))
    return np.asarray(values + np.float32(amount) * (values - coarse), np.float32)


def through_jpeg(picture: NDArray[np.uint8], quality: int, subsampling: Subsampling = "4:2:0") -> NDArray[np.uint8]:
    """A picture, H×W×3, written as JPEG and read again; quality 0 leaves it as it is."""
    if quality == 0:
        return picture
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file).convert("RGB"), np.uint8)


def photograph(
    blurred: Values, sharp: Values, camera: Camera, keeps_grain: bool, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo that a camera makes of blurred light, and the answer that goes with it; light is H×W×3, may lie above 1
    and is clipped after everything that happens in light.

    The answer is the sharp light through the same exposure, tone curve and sharpening, without noise; where it
    ``keeps_grain``, it has the photo's own noise, and the denoising too: then defocus and JPEG are all that tells the
    two apart, and of a scene in focus the answer is the photo before its JPEG.
    """
    photo, answer = (np.asarray(light * np.float32(camera.exposure), np.float32) for light in (blurred, sharp))
    noisy = add_noise(photo, camera.shot_noise, camera.read_noise, generator)
    if keeps_grain:
        answer = answer + (noisy - photo)
    levels = []
    for light, cleaned in ((noisy, camera.denoise), (answer, camera.denoise if keeps_grain else 0.0)):
        values = denoise(tone_curve(from_light(light, camera.gamma), camera.tone), cleaned)
        levels.append(to_8bit(sharpen(values, camera.sharpen, camera.sharpen_px)))
    return through_jpeg(levels[0], camera.jpeg, camera.subsampling), levels[1]
