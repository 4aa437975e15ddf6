"""The thin lens: from depth to the circle of confusion."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ThinLens:
    """A thin lens focused at one distance, in front of a sensor.

    ``f_number`` infinity closes the aperture: everything is sharp.

    Raises:
        ValueError: a length that is not positive, or a focus nearer than the focal length.
    """

    focal_length_mm: float
    f_number: float
    focus_m: float
    pixel_pitch_um: float

    def __post_init__(self) -> None:
        for name in ("focal_length_mm", "f_number", "focus_m", "pixel_pitch_um"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be above 0, found {value}")
        if self.focus_m * 1000 <= self.focal_length_mm:
            raise ValueError(
                f"focus_m={self.focus_m} m lies within the focal length of {self.focal_length_mm} mm: "
                "a lens can't focus there, move the focus away"
            )

    def coc_radius(self, depth_m: ArrayLike) -> NDArray[np.float32]:
        """Signed radius (px) of the circle of confusion at a depth (m, infinity allowed), any shape.

        Positive behind the focus, negative before it. The diameter on the sensor is
        ``f² / (N (s - f)) · (d - s) / d`` for focal length f, f-number N, focus s and depth d
        (Potmesil & Chakravarty 1982).

        Raises:
            ValueError: a depth that is not positive.
        """
        depth_mm = np.asarray(depth_m, np.float64) * 1000
        if not np.all(depth_mm > 0):
            raise ValueError(f"depth must be above 0 m everywhere, found {np.min(depth_mm) / 1000} m")
        focus_mm = self.focus_m * 1000
        scale_mm = self.focal_length_mm**2 / (self.f_number * (focus_mm - self.focal_length_mm))
        diameter_mm = scale_mm * (1 - focus_mm / depth_mm)
        return np.asarray(diameter_mm * 1000 / self.pixel_pitch_um / 2, np.float32)


def stopped_down_to(lens: ThinLens, depth_m: ArrayLike, largest_radius: float) -> ThinLens:
    """The same lens with the f-number at which the scene's largest circle of confusion has ``largest_radius`` (px).

    A scene that lies wholly in the focal plane leaves the lens as it is.

    Raises:
        ValueError: ``largest_radius`` not above 0.
    """
    if not largest_radius > 0:
        raise ValueError(f"largest_radius must be above 0 px, found {largest_radius}")
    found = float(np.max(np.abs(lens.coc_radius(depth_m))))
    return lens if found == 0 else replace(lens, f_number=lens.f_number * found / largest_radius)
