"""Small scenes with known maps, rendered from the wheels' photos as the sample data set is."""

import numpy as np

from sftdec.datasets import sample
from sftdec.datasets.recipes import Recipe

NOISE = (2e-5, 1e-3)  # shot and read noise of the sample's test scenes


def rendered(photo, depth, sigma, psf="disc", noise=NOISE, side=160, scale=0.75, seed=1, focus=0.9):
    """A scene whose map (0..1) is of ``sigma_max`` = ``sigma`` px, which it reaches."""
    return sample.read(
        Recipe(
            name=f"{photo}_{depth}_{sigma}",
            split="test",
            content="photo",
            photos=(photo,),
            scale=scale,
            height=side,
            width=side,
            top=0.5,
            left=0.5,
            depth=depth,
            near_m=1.0,
            far_m=6.0,
            focus=focus,
            focal_length_mm=50.0,
            pixel_pitch_um=30.0,
            max_coc_px=2 * sigma,
            psf=psf,
            blades=6,
            softness_px=0.0,
            shot_noise=noise[0],
            read_noise=noise[1],
            seed=seed,
            number=0,
        ),
        sigma,
    )


def sigma_of(scene):
    """The true map in px."""
    return scene.defocus * np.float32(scene.sigma_max)
