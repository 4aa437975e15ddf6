"""Pictures of what a network did, laid out as in the paper's figures 5 to 9."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.evaluation import Picture, map_errors, psnr, ssim
from sftdec.reporting.crops import Crop, choose_crops
from sftdec.reporting.style import (
    BETTER,
    CROPS,
    INK,
    MUTED,
    WORSE,
    defocus_colours,
    house_style,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from sftdec.datasets import Scene

PANEL_WIDTH = 9.6  # inches, as all lengths below
MARGIN, COLOUR_BAR, GAP, GROUP_GAP = 0.12, 0.58, 0.08, 0.28
SHEET_GAP, SHEET_CAPTION = 0.14, 0.34
TITLE, HEAD, CAPTION = 0.34, 0.24, 0.24


class Tile(NamedTuple):
    """One picture of a contact sheet: uint8 h×w×3, left half blurred, right half deblurred; gain in dB."""

    name: str
    image: Picture
    gain: float


def decibels(value: float) -> str:
    """A PSNR as text, ∞ for equal pictures."""
    return "∞ dB" if math.isinf(value) else f"{value:.2f} dB"


def panel(scene: "Scene", deblurred: Picture, estimate: NDArray[np.float32]) -> "Figure":
    """One scene: blurred, deblurred, sharp, true and predicted map in a row; below it two windows, enlarged.

    `deblurred` is uint8 H×W×3, `estimate` a map H×W in 0..1; maps are drawn in px of sigma from 0 to the data
    set's sigma_max. Windows are those of `choose_crops`. 9.6 inches wide; the height follows the picture.

    Raises:
        ValueError: the sizes differ, or the picture is under 11 px high or wide.
    """
    ratio = min(max(scene.sharp.shape[0] / scene.sharp.shape[1], 0.4), 1.6)
    column = (PANEL_WIDTH - MARGIN - COLOUR_BAR - 4 * GAP) / 5
    window = (PANEL_WIDTH - MARGIN - COLOUR_BAR - GROUP_GAP - 4 * GAP) / 6
    height = TITLE + HEAD + column * ratio + CAPTION + GAP + window + CAPTION
    with house_style():
        figure = new_figure(PANEL_WIDTH, height)
        figure.text(MARGIN / PANEL_WIDTH, 1 - 0.2 / height, scene.name, fontsize=10.5, weight="bold", va="center")
        crops = choose_crops(scene, deblurred)
        bottom = window + 2 * CAPTION + GAP
        _whole_row(figure, scene, deblurred, estimate, crops, (bottom, column, column * ratio))
        for group, (crop, colour) in enumerate(zip(crops, CROPS, strict=True)):
            left = MARGIN + group * (3 * window + 2 * GAP + GROUP_GAP)
            _window_group(figure, scene, deblurred, crop, colour, (left, CAPTION, window))
    return figure


def _whole_row(
    figure: "Figure",
    scene: "Scene",
    deblurred: Picture,
    estimate: NDArray[np.float32],
    crops: tuple[Crop, Crop],
    place: tuple[float, float, float],
) -> None:
    """The five whole pictures with headings, captions and crop boxes; `place`: bottom, width, height."""
    bottom, width, height = place
    before, after = psnr(scene.blurred, scene.sharp), psnr(deblurred, scene.sharp)
    mae, _ = map_errors(estimate, scene.defocus)
    pixels = scene.sigma_max
    rows, columns = scene.sharp.shape[:2]
    cells = [
        (
            "blurred",
            scene.blurred,
            f"{decibels(before)} · SSIM {ssim(scene.blurred, scene.sharp):.4f}",
            MUTED,
        ),
        (
            "deblurred",
            deblurred,
            f"{decibels(after)} · SSIM {ssim(deblurred, scene.sharp):.4f}",
            gain_colour(after - before),
        ),
        ("sharp", scene.sharp, f"{columns} × {rows} px", MUTED),
        ("true defocus", scene.defocus * pixels, f"mean σ {scene.defocus.mean() * pixels:.2f} px", MUTED),
        ("estimated defocus", estimate * pixels, f"MAE {mae:.4f} ({mae * pixels:.2f} px)", MUTED),
    ]
    for index, (heading, picture, caption, colour) in enumerate(cells):
        left = MARGIN + index * (width + GAP)
        axes = add_axes(figure, left, bottom, width, height)
        image = show(axes, picture, pixels, "auto")
        axes.set_title(heading, fontsize=8.5, color=INK, pad=4)
        axes.set_xlabel(caption, fontsize=8, color=colour, labelpad=3.5, weight="bold" if colour != MUTED else None)
        if index < 3:
            draw_boxes(axes, crops)
    shown = min(height, width * rows / columns)
    add_colour_bar(figure, image, left + width + 0.09, bottom + (height - shown) / 2, shown)


def _window_group(
    figure: "Figure",
    scene: "Scene",
    deblurred: Picture,
    crop: Crop,
    colour: str,
    place: tuple[float, float, float],
) -> None:
    """One window three times, framed in its colour; `place`: left, bottom, side."""
    left, bottom, side = place
    sharp = crop.of(scene.sharp)
    cells = [
        ("blurred", crop.of(scene.blurred)),
        ("deblurred", crop.of(deblurred)),
        ("sharp", sharp),
    ]
    for index, (heading, picture) in enumerate(cells):
        axes = add_axes(figure, left + index * (side + GAP), bottom, side, side)
        show_window(axes, picture, colour)
        caption = heading if picture is sharp else f"{heading}  {decibels(psnr(picture, sharp))}"
        axes.set_xlabel(caption, fontsize=8, color=MUTED, labelpad=3.5)


def add_axes(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Axes placed in inches from the lower left corner."""
    whole_width, whole_height = figure.get_size_inches()
    axes: Axes = figure.add_axes(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )
    return axes


def show(axes: "Axes", picture: NDArray[Any], sigma_max: float, interpolation: str) -> "AxesImage":
    """A picture (colours as they are), or a map in px of sigma, without ticks or frame."""
    colours = defocus_colours() if picture.ndim == 2 else None
    image: AxesImage = axes.imshow(picture, interpolation=interpolation, cmap=colours, vmin=0.0, vmax=sigma_max)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def show_window(axes: "Axes", picture: Picture, colour: str) -> None:
    """An enlarged window, framed in its colour."""
    show(axes, picture, 1.0, "bicubic")
    for spine in axes.spines.values():
        spine.set(visible=True, edgecolor=colour, linewidth=1.8)


def add_colour_bar(figure: "Figure", image: "AxesImage", left: float, bottom: float, height: float) -> None:
    """What a map's colours stand for; placed in inches."""
    bar = add_axes(figure, left, bottom, 0.09, height)
    figure.colorbar(image, cax=bar)
    bar.set_title("σ, px", fontsize=7.5, color=MUTED, pad=5, loc="left")
    bar.tick_params(length=2, pad=2, labelsize=7.5)
    bar.locator_params(nbins=5)
    bar.spines["outline"].set_visible(False)


def draw_boxes(axes: "Axes", crops: tuple[Crop, Crop]) -> None:
    """The windows' outlines, in their colours, with a dark line beneath for bright photos."""
    from matplotlib.patches import Rectangle

    for crop, colour in zip(crops, CROPS, strict=True):
        corner, side = (crop.left - 0.5, crop.top - 0.5), crop.side
        for line, edge in ((2.4, "#00000066"), (1.4, colour)):
            axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=edge, linewidth=line, clip_on=False))


def gain_colour(gain: float) -> str:
    """The colour of a gain: green where the picture improved, red where it got worse."""
    return BETTER if gain > 0 else WORSE if gain < 0 else MUTED


def split_tile(scene: "Scene", deblurred: Picture, width: int = 360) -> Tile:
    """A picture reduced to at most `width` px: its left half as taken, its right half deblurred."""
    columns = scene.sharp.shape[1]
    joined = np.concatenate([scene.blurred[:, : columns // 2], deblurred[:, columns // 2 :]], axis=1)
    return Tile(scene.name, reduced(joined, width), psnr(deblurred, scene.sharp) - psnr(scene.blurred, scene.sharp))


def reduced(picture: Picture, width: int) -> Picture:
    """A uint8 picture H×W×3 made at most `width` px wide, its proportions kept; a smaller one as it is."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    if columns <= width:
        return picture.copy()
    size = (width, max(1, round(rows * width / columns)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def contact_sheet(tiles: Sequence[Tile], columns: int = 4) -> "Figure":
    """All tiles on one sheet, `columns` to a row, each with its name and its gain in dB.

    Raises:
        ValueError: there are no tiles.
    """
    if not tiles:
        raise ValueError("no pictures for a contact sheet; evaluate at least one scene")
    columns = max(1, min(columns, len(tiles)))
    side = (PANEL_WIDTH - 2 * MARGIN - (columns - 1) * SHEET_GAP) / columns if columns > 2 else 3.0
    ratio = float(np.median([tile.image.shape[0] / tile.image.shape[1] for tile in tiles]))
    high = side * min(max(ratio, 0.4), 1.4)
    rows = math.ceil(len(tiles) / columns)
    width = max(2 * MARGIN + columns * side + (columns - 1) * SHEET_GAP, 4.2)
    height = TITLE + rows * (high + SHEET_CAPTION)
    with house_style():
        figure = new_figure(width, height)
        note = "left of the line as taken, right of it deblurred"
        figure.text(MARGIN / width, 1 - 0.18 / height, note, color=MUTED, va="center")
        for index, tile in enumerate(tiles):
            row, column = divmod(index, columns)
            left = MARGIN + column * (side + SHEET_GAP)
            bottom = height - TITLE - row * (high + SHEET_CAPTION) - high
            _draw_tile(figure, tile, (left, bottom, side, high))
    return figure


def _draw_tile(figure: "Figure", tile: Tile, place: tuple[float, float, float, float]) -> None:
    """A tile with its dividing line, name and gain below it; `place`: left, bottom, width, height."""
    left, bottom, width, _ = place
    axes = add_axes(figure, *place)
    axes.set_anchor("S")
    show(axes, tile.image, 1.0, "auto")
    axes.axvline(tile.image.shape[1] / 2 - 0.5, color="white", linewidth=1.2)
    room = max(8, int((width - 0.85) / 0.075))
    name = tile.name if len(tile.name) <= room else f"…{tile.name[1 - room :]}"
    gain = f"{tile.gain:+.2f} dB".replace("-", "−") if math.isfinite(tile.gain) else ""
    whole_width, whole_height = figure.get_size_inches()
    y = (bottom - 0.07) / whole_height
    figure.text(left / whole_width, y, name, fontsize=8, va="top", color=INK)
    right = (left + width) / whole_width
    figure.text(right, y, gain, fontsize=8, va="top", ha="right", weight="bold", color=gain_colour(tile.gain))
