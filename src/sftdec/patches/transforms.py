"""What happens to a crop, with albumentations: where it is cut and how it is turned, its light, and its noise."""

import os
import random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sftdec.params import SUPPORT, AugmentationParams, half_extent

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or its import asks the network for a newer version
import albumentations
from albumentations.core.type_definitions import Targets

Levels = NDArray[Any]


class TurnedCrop(albumentations.DualTransform):  # type: ignore[misc]
    """A square of ``crop`` px, turned by up to ``rotation`` degrees either way, from anywhere in a picture it fits in.

    With ``flips`` it is mirrored and turned by quarters as well. One affine warp reaches straight for the crop: nothing
    is turned that isn't needed, and as the whole square, and what a kernel looks at around it, lies within the picture,
    no corner is empty and no border made up. The map is interpolated linearly, the pictures by Lanczos' kernel of 8×8
    px, which keeps all of their detail up to 0.4 cycles/px and 87 % of the power from there to 0.5; linear
    interpolation keeps 66, 46 and 32 % at 0.2–0.3, 0.3–0.4 and 0.4–0.5, so that what should be sharp isn't (white
    noise, all angles). A crop of 256 px takes 11 ms of one core for it, linearly 0.6, and 0.2 without free turns.
    """

    _targets = Targets.IMAGE

    def __init__(self, crop: int, rotation: float, flips: bool) -> None:
        super().__init__(p=1.0)
        self.crop, self.rotation, self.flips = crop, rotation, flips

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Where each pixel of the crop (x, y, 1) lies in the part ``box`` of the picture: a 2×3 ``matrix``."""
        draw = self.py_random
        angle = np.deg2rad(draw.uniform(-self.rotation, self.rotation))
        half = half_extent(self.crop, angle)
        outer = half + SUPPORT
        centre = np.array([draw.uniform(outer, length - 1 - outer) for length in params["shape"][1::-1]])  # x, y
        quarters, mirror = (draw.randrange(4), draw.choice((1, -1))) if self.flips else (0, 1)
        cos, sin = np.cos(angle + quarters * np.pi / 2), np.sin(angle + quarters * np.pi / 2)
        turn = np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror, 1])
        first = np.floor(centre - outer).astype(int)
        last = np.ceil(centre + outer).astype(int)
        offset = centre - first - turn @ np.full(2, (self.crop - 1) / 2)
        box = (slice(max(0, first[1]), last[1] + 1), slice(max(0, first[0]), last[0] + 1))
        return {"box": box, "matrix": np.column_stack([turn, offset])}

    def apply(self, img: Levels, box: tuple[slice, slice], matrix: NDArray[np.float64], **params: Any) -> Levels:
        """The crop of one picture, H×W×3 uint8 or H×W×1 uint16."""
        kernel = cv2.INTER_LANCZOS4 if img.shape[2] == 3 else cv2.INTER_LINEAR
        flags, size = kernel | cv2.WARP_INVERSE_MAP, (self.crop, self.crop)
        made = cv2.warpAffine(img[box], matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(made).reshape(*size, img.shape[2])


def _compose(steps: list[Any], **targets: str) -> Any:
    return albumentations.Compose(steps, additional_targets=targets)


class Augmentation:
    """What ``AugmentationParams`` ask for, done to a patch.

    Blurred, sharp and map are cut and turned as *images*, so that the map too is interpolated linearly. What changes
    light never sees the map, and draws from another source than what moves: the same seed gives the same place.
    """

    def __init__(self, wanted: AugmentationParams) -> None:
        crop, brightness, noise = wanted.crop, wanted.brightness, wanted.noise
        steps: list[Any] = [TurnedCrop(crop, wanted.rotation, wanted.flips)]
        if wanted.rotation == 0:
            steps = [albumentations.RandomCrop(crop, crop)] + ([albumentations.D4(p=1.0)] if wanted.flips else [])
        self._place = _compose(steps, sharp="image", defocus="image")
        light: list[Any] = []
        if brightness > 0:  # a factor, as exposure is: in albumentations that is the contrast
            light.append(albumentations.RandomBrightnessContrast(0.0, brightness, p=1.0))
        if wanted.channel_shuffle:
            light.append(albumentations.ChannelShuffle(p=1.0))
        self._light = _compose(light, sharp="image") if light else None
        self._noise = _compose([albumentations.GaussNoise((0.0, noise), p=1.0)]) if noise > 0 else None

    def __call__(
        self, seed: np.random.SeedSequence, blurred: Levels, sharp: Levels, defocus: Levels
    ) -> tuple[Levels, Levels, Levels]:
        """Crops of blurred and sharp (uint8 H×W×3) and of the map (uint16 H×W×1); one seed, one outcome."""
        place, light, noise = (int(word) for word in seed.generate_state(3))
        self._place.set_random_seed(place)
        moved = self._place(image=blurred, sharp=sharp, defocus=defocus)
        blurred, sharp, defocus = moved["image"], moved["sharp"], moved["defocus"]
        if self._light is not None:  # one source for all its steps: of equal ones, the factor would decide the order
            self._light.set_random_state(np.random.default_rng(light), random.Random(light))
            lit = self._light(image=blurred, sharp=sharp)
            blurred, sharp = lit["image"], lit["sharp"]
        if self._noise is not None:
            self._noise.set_random_seed(noise)
            blurred = self._noise(image=blurred)["image"]
        return blurred, sharp, defocus
