from .colour import add_noise, from_light, linear_to_srgb, srgb_to_linear, to_8bit, to_light
from .lens import ThinLens, stopped_down_to
from .psf import PSF_SHAPES, PsfShape, point_spread_function, sigma_of_radius
from .render import Layer, render_layers, render_photo

__all__ = [
    "PSF_SHAPES",
    "Layer",
    "PsfShape",
    "ThinLens",
    "add_noise",
    "from_light",
    "linear_to_srgb",
    "point_spread_function",
    "render_layers",
    "render_photo",
    "sigma_of_radius",
    "srgb_to_linear",
    "stopped_down_to",
    "to_8bit",
    "to_light",
]
