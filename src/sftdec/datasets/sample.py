"""The sample data set: recipes rendered from the photos that come with scikit-image and scikit-learn."""

from dataclasses import fields, replace
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
    Aperture,
    Camera,
    PsfShape,
    ThinLens,
    brighten_highlights,
    linear_to_srgb,
    photograph,
    render_layers,
    render_photo,
    sigma_of_radius,
    stopped_down_to,
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
    """The scenes that ``folder``'s recipes stand for; its entries are ``Recipe``."""
    return Listing(ABOUT, folder, read_recipes(folder / RECIPES))


def read(recipe: Recipe, sigma_max: float) -> Scene:
    """Render one recipe.

    Raises:
        DataError: blur beyond ``sigma_max`` (px) that isn't to be cut off, a crop larger than the photo, or a recipe
            that can't be met.
    """
    if sigma_of_radius(recipe.max_coc_px) > sigma_max and not recipe.cut_map:
        raise DataError(
            f"recipe {recipe.name}: max_coc_px={recipe.max_coc_px:.2f} is a sigma of "
            f"{sigma_of_radius(recipe.max_coc_px):.2f} px, above fetch.sigma_max={sigma_max}: "
            "raise the one or lower the other, or let the map end there with cut_map=1"
        )
    sharp, blurred, radius = (_render_leaves if recipe.content == "leaves" else _render_photo)(recipe)
    if recipe.softness_px > 0:
        sharp, blurred = (
            ndimage.gaussian_filter(x, recipe.softness_px, mode="nearest", axes=(0, 1)) for x in (sharp, blurred)
        )
    photo, answer = photograph(blurred, sharp, _camera(recipe), recipe.answer == "grain", recipe.generator())
    return Scene(
        name=f"sample/{recipe.name}",
        dataset="sample",
        split=cast(Split, recipe.split),
        photo=recipe.name if recipe.content == "leaves" else Path(recipe.photos[0]).stem,
        sigma_max=sigma_max,
        blurred=photo,
        sharp=answer,
        defocus=np.minimum(np.asarray(radius / 2 / sigma_max, np.float32), 1),
        map_known=True,
    )


def _camera(recipe: Recipe) -> Camera:
    return Camera(**{each.name: getattr(recipe, each.name) for each in fields(Camera)})


def _aperture(recipe: Recipe) -> Aperture:
    shape = cast(PsfShape, recipe.psf)
    return Aperture(shape, recipe.blades, recipe.rim, recipe.corner, recipe.fringe_px)


Rendered = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _lens(recipe: Recipe, depths_m: NDArray[np.float64]) -> ThinLens:
    """The recipe's lens, focused within the scene and stopped down to its largest circle of confusion."""
    near, far = float(depths_m.min()), float(depths_m.max())
    focus = 1 / (recipe.focus / near + (1 - recipe.focus) / far)
    lens = ThinLens(recipe.focal_length_mm, 2.0, focus, recipe.pixel_pitch_um)
    if recipe.max_coc_px == 0:
        return replace(lens, f_number=np.inf)
    return stopped_down_to(lens, depths_m, recipe.max_coc_px)


def _render_leaves(recipe: Recipe) -> Rendered:
    """Sharp and blurred picture in light and the radius (px, 0 or more) of a dead-leaves scene."""
    generator = recipe.generator()
    size = (recipe.height, recipe.width)
    if min(size) < 16:
        raise DataError(f"recipe {recipe.name}: leaves need a height and width of 16 px or more, found {size}")
    nearness = np.sort(generator.random(int(generator.integers(5, 15))))
    depths = 1 / (nearness / recipe.near_m + (1 - nearness) / recipe.far_m)
    sheets = dead_leaves(size, depths, recipe.photos, generator, draw_model(generator, recipe.leaves))
    sheets = [(_light_of_leaf(colour, recipe), alpha) for colour, alpha in sheets]
    seen, pinhole, radius = focused_layers(sheets, depths, _lens(recipe, depths))
    sharp = render_layers(pinhole)
    if recipe.depth == "layers":
        return sharp, render_layers(seen, _aperture(recipe)), radius
    return _defocus(recipe, sharp, None, generator)


def _light_of_leaf(linear: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """The colours of leaves, H×W×3 in sRGB's linear light, in the light of the recipe, with its highlights."""
    if recipe.gamma == 0 and recipe.highlight == 1:
        return linear
    values = linear_to_srgb(linear)
    light = linear if recipe.gamma == 0 else to_light(values, recipe.gamma)
    return brighten_highlights(light, values, recipe.highlight)


def _render_photo(recipe: Recipe) -> Rendered:
    """Sharp and blurred picture in light and the radius (px, 0 or more) of a photo with a depth."""
    generator = recipe.generator()
    (name,) = recipe.photos
    photo = recipe_photo(name)
    size = (round(photo.shape[0] * recipe.scale), round(photo.shape[1] * recipe.scale))
    values = photo / np.float32(255)
    light = brighten_highlights(to_light(values, recipe.gamma), values, recipe.highlight)
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
    blurred, rendered = render_photo(sharp, radius, _aperture(recipe))
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
