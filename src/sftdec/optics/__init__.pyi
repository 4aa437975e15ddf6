from .camera import SUBSAMPLINGS, Camera, Subsampling, denoise, photograph, sharpen, through_jpeg, tone_curve
from .colour import add_noise, brighten_highlights, from_light, linear_to_srgb, srgb_to_linear, to_8bit, to_light
from .lens import ThinLens, stopped_down_to
from .psf import PSF_SHAPES, Aperture, PsfShape, point_spread_function, sigma_of_radius
from .render import Layer, render_layers, render_photo

__all__ = [
    "PSF_SHAPES",
    "SUBSAMPLINGS",
    "Aperture",
    "Camera",
    "Layer",
    "PsfShape",
    "Subsampling",
    "ThinLens",
    "add_noise",
    "brighten_highlights",
    "denoise",
    "from_light",
    "linear_to_srgb",
    "photograph",
    "point_spread_function",
    "render_layers",
    "render_photo",
    "sharpen",
    "sigma_of_radius",
    "srgb_to_linear",
    "stopped_down_to",
    "through_jpeg",
    "to_8bit",
    "to_light",
    "tone_curve",
]
