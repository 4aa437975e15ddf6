"""The sample data set: recipes rendered from the photos that come with scikit-image and scikit-learn."""

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize

from sftdec.datasets.dead_leaves import dead_leaves, draw_model, focused_layers
from sftdec.datasets.depth import DepthModel, disparity_depth, model_depth
from sftdec.datasets.listing import About, Listing
from sftdec.datasets.photos import recipe_photo, wheel_disparity
from sftdec.datasets.recipes import OWN_PHOTOS, Recipe, read_recipes
from sftdec.datasets.scene import Scene, Split
from sftdec.optics import (
    PsfShape,
    ThinLens,
    add_noise,
    from_light,
    linear_to_srgb,
    render_layers,
    render_photo,
    sigma_of_radius,
    stopped_down_to,
    to_8bit,
    to_light,
)
from sftdec.runtime import DataError

RECIPES = "recipes.csv"


ABOUT = About(
    name="sample",
    title="recipes rendered from the photos that come with scikit-image and scikit-learn, and dead leaves",
    layout=f"{RECIPES}   a row a scene, or a row for several\n{OWN_PHOTOS}/*   photos that its rows name beside those",
    licence="the recipes are this project's; the photos' licences are in those packages",
    page="https://scikit-image.org/docs/stable/api/skimage.data.html",
    map_unit="px of sigma, exact: the lens that rendered the scene",
)


def recognises(folder: Path) -> bool:
    """Whether a folder holds recipes."""
    return (folder / RECIPES).is_file()


def find(folder: Path) -> Listing:
    """The scenes that ``folder``'s recipes stand for; its entries are ``Recipe``.

    Raises:
        DataError: a recipe that can't be used.
    """
    return Listing(ABOUT, folder, read_recipes(folder / RECIPES))


def read(recipe: Recipe, sigma_max: float) -> Scene:
    """Render one recipe.

    Raises:
        DataError: blur beyond ``sigma_max`` (px), a crop larger than the photo, or a recipe that can't be met.
    """
    if sigma_of_radius(recipe.max_coc_px) > sigma_max:
        raise DataError(
            f"recipe {recipe.name}: max_coc_px={recipe.max_coc_px:.2f} is a sigma of "
            f"{sigma_of_radius(recipe.max_coc_px):.2f} px, above fetch.sigma_max={sigma_max}: "
            "raise the one or lower the other"
        )
    sharp, blurred, radius = (_render_leaves if recipe.content == "leaves" else _render_photo)(recipe)
    if recipe.softness_px > 0:
        sharp, blurred = (
            ndimage.gaussian_filter(x, recipe.softness_px, mode="nearest", axes=(0, 1)) for x in (sharp, blurred)
        )
    noisy = add_noise(blurred, recipe.shot_noise, recipe.read_noise, recipe.generator())
    return Scene(
        name=f"sample/{recipe.name}",
        dataset="sample",
        split=cast(Split, recipe.split),
        photo=recipe.name if recipe.content == "leaves" else Path(recipe.photos[0]).stem,
        sigma_max=sigma_max,
        blurred=to_8bit(from_light(noisy, recipe.gamma)),
        sharp=to_8bit(from_light(sharp, recipe.gamma)),
        defocus=np.asarray(radius / 2 / sigma_max, np.float32),
    )


Rendered = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _lens(recipe: Recipe, depths_m: NDArray[np.float64]) -> ThinLens:
    """The recipe's lens, focused within the scene and stopped down to its largest circle of confusion."""
    near, far = float(depths_m.min()), float(depths_m.max())
    focus = 1 / (recipe.focus / near + (1 - recipe.focus) / far)
    return stopped_down_to(
        ThinLens(recipe.focal_length_mm, 2.0, focus, recipe.pixel_pitch_um), depths_m, recipe.max_coc_px
    )


def _render_leaves(recipe: Recipe) -> Rendered:
    """Sharp and blurred picture in light and the radius (px, 0 or more) of a dead-leaves scene."""
    generator = recipe.generator()
    size = (recipe.height, recipe.width)
    if min(size) < 16:
        raise DataError(f"recipe {recipe.name}: leaves need a height and width of 16 px or more, found {size}")
    nearness = np.sort(generator.random(int(generator.integers(5, 15))))
    depths = 1 / (nearness / recipe.near_m + (1 - nearness) / recipe.far_m)
    sheets = dead_leaves(size, depths, recipe.photos, generator, draw_model(generator))
    if recipe.gamma != 0:
        sheets = [(to_light(linear_to_srgb(colour), recipe.gamma), alpha) for colour, alpha in sheets]
    seen, pinhole, radius = focused_layers(sheets, depths, _lens(recipe, depths))
    sharp = render_layers(pinhole)
    if recipe.depth == "layers":
        return sharp, render_layers(seen, cast(PsfShape, recipe.psf), recipe.blades), radius
    return _defocus(recipe, sharp, None, generator)


def _render_photo(recipe: Recipe) -> Rendered:
    """Sharp and blurred picture in light and the radius (px, 0 or more) of a photo with a depth."""
    generator = recipe.generator()
    (name,) = recipe.photos
    photo = recipe_photo(name)
    size = (round(photo.shape[0] * recipe.scale), round(photo.shape[1] * recipe.scale))
    light = to_light(photo / np.float32(255), recipe.gamma)
    sharp = resize(light, size, order=1, anti_aliasing=recipe.scale < 1).astype(np.float32)
    depth = None
    if recipe.depth == "disparity":
        measured = disparity_depth(wheel_disparity(name), photo.shape[:2], f"recipe {recipe.name}")
        depth = resize(measured, size, order=0, anti_aliasing=False)
    rows, columns = _crop(recipe, size, generator)
    cut = None if depth is None else depth[rows, columns]
    return _defocus(recipe, np.ascontiguousarray(sharp[rows, columns]), cut, generator)


def _defocus(
    recipe: Recipe, sharp: NDArray[np.float32], depth: NDArray[np.float64] | None, generator: np.random.Generator
) -> Rendered:
    """A sharp picture and what the recipe's lens makes of it, at a measured depth (m) or the recipe's model of one.

    A plane is at one distance: all of it has the recipe's circle of confusion.
    """
    if recipe.depth == "plane":
        radius = np.full(sharp.shape[:2], recipe.max_coc_px, np.float32)
    else:
        if depth is None:
            model = cast(DepthModel, recipe.depth)
            depth = model_depth(model, sharp.shape[:2], recipe.near_m, recipe.far_m, generator)
        radius = _lens(recipe, depth).coc_radius(depth)
    blurred, rendered = render_photo(sharp, radius, cast(PsfShape, recipe.psf), recipe.blades)
    return sharp, blurred, np.minimum(np.abs(rendered), recipe.max_coc_px)


def _crop(recipe: Recipe, size: tuple[int, int], generator: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of the recipe's crop in a picture of this size."""
    slices = []
    wanted, places = (recipe.height, recipe.width), (recipe.top, recipe.left)
    for length, whole, place, side in zip(wanted, size, places, ("height", "width"), strict=True):
        if length > whole:
            raise DataError(
                f"recipe {recipe.name}: {side}={length} px is more than the photo has at scale {recipe.scale:.2f} "
                f"({whole} px)"
            )
        spare = whole - (length or whole)
        start = round((generator.random() if place < 0 else min(place, 1.0)) * spare)
        slices.append(slice(start, start + (length or whole)))
    return slices[0], slices[1]
