"""The paper's figures 5 to 9, for any methods: one scene, everyone's picture of it side by side, two windows enlarged;
and all maps of the shown scenes on one sheet.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.evaluation import Picture, map_errors, psnr, ssim
from sftdec.experiments.tables.methods import Method
from sftdec.experiments.tables.rows import missing
from sftdec.photos import read_defocus, read_photo
from sftdec.reporting import (
    CROPS,
    DEFOCUS_COLOURS,
    INK,
    MUTED,
    RULE,
    Crop,
    add_axes,
    choose_crops,
    decibels,
    draw_boxes,
    gain_colour,
    house_style,
    new_figure,
    show,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from sftdec.datasets import Scene

WIDTH = 12.0  # inches, as all lengths below
COLUMNS = 6
PANEL_DPI = 128  # photos make large files
MARGIN, GAP, TITLE = 0.14, 0.12, 0.42
HEAD, CAPTION, BELOW = 0.22, 0.22, 0.16
CROP_GAP = 0.06
MAP_GAP, MAP_BAR = 0.08, 0.62


class Shown(NamedTuple):
    """What a method made of a scene: uint8 H×W×3 and float32 H×W in 0..1, or None for a ``reason``."""

    method: Method
    deblurred: Picture | None
    defocus: NDArray[np.float32] | None
    reason: str


def read_shown(methods: Sequence[Method], pictures: Path, scene: str, trained: Collection[str]) -> list[Shown]:
    """What ``judging.Keeper`` wrote below ``pictures``, a folder a method; a method without a folder has nothing.

    ``trained``: the networks whose weights are there.
    """
    found = []
    for method in methods:
        deblurred, defocus = (pictures / method.judged / part / f"{scene}.png" for part in ("deblurred", "defocus"))
        found.append(
            Shown(
                method,
                read_photo(deblurred) if deblurred.is_file() else None,
                read_defocus(defocus) if defocus.is_file() else None,
                missing(method, trained),
            )
        )
    return found


def comparison_panel(scene: "Scene", shown: Sequence[Shown], note: str = "") -> "Figure":
    """The scene's blurred picture, each method's, and the sharp one, with PSNR and SSIM; the same two windows below.

    The windows are ``choose_crops`` of the blurred picture, which knows no method. A method without a picture keeps an
    empty place. 12 inches wide, six pictures in a row.

    Raises:
        ValueError: a picture is not of the scene's size, or the scene is under 11 px high or wide.
    """
    tiles: list[tuple[str, Picture | None, str]] = [("blurred", scene.blurred, "")]
    tiles += [(each.method.short, each.deblurred, each.reason) for each in shown]
    tiles.append(("sharp", scene.sharp, ""))
    crops = choose_crops(scene, scene.blurred)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    whole = width * min(max(scene.sharp.shape[0] / scene.sharp.shape[1], 0.4), 1.4)
    high = HEAD + whole + CAPTION + (width - CROP_GAP) / 2 + BELOW
    rows = -(-len(tiles) // COLUMNS)
    height = TITLE + rows * high
    with house_style():
        figure = new_figure(WIDTH, height, PANEL_DPI)
        _title(figure, scene.name, note)
        for index, (name, picture, reason) in enumerate(tiles):
            row, column = divmod(index, COLUMNS)
            place = (MARGIN + column * (width + GAP), height - TITLE - row * high, width, whole)
            _tile(figure, scene, (name, reason), picture, crops, place)
    return figure


def _title(figure: "Figure", name: str, note: str) -> None:
    height = figure.get_size_inches()[1]
    y = 1 - 0.2 / height
    figure.text(MARGIN / WIDTH, y, name, fontsize=11.5, weight="bold", va="center")
    figure.text(1 - MARGIN / WIDTH, y, note, fontsize=8.5, color=MUTED, va="center", ha="right")


def _tile(
    figure: "Figure", scene: "Scene", names: tuple[str, str], picture: Picture | None, crops: tuple[Crop, Crop],
    place: tuple[float, float, float, float],
) -> None:  # fmt: skip
    """One picture with its name above it, its figures below, and its windows.

    ``names``: its own, and the reason why there is none; ``place``: left, top, width, whole.
    """
    name, reason = names
    left, top, width, whole = place
    axes = add_axes(figure, left, top - HEAD - whole, width, whole)
    axes.set_title(name, fontsize=9.5, color=INK, pad=3.5, weight="bold" if name == "SFT-Dec" else None)
    if picture is None:
        _nothing(axes, reason)
        return
    show(axes, picture, 1.0, "auto")
    caption, colour = _said(scene, picture)
    axes.set_xlabel(caption, fontsize=8.5, color=colour, labelpad=3, weight=None if colour == MUTED else "bold")
    if name == "blurred":
        draw_boxes(axes, crops)
    side = (width - CROP_GAP) / 2
    for number, (crop, edge) in enumerate(zip(crops, CROPS, strict=True)):
        bottom = top - HEAD - whole - CAPTION - side
        window = add_axes(figure, left + number * (side + CROP_GAP), bottom, side, side)
        show(window, crop.of(picture), 1.0, "bicubic")
        for spine in window.spines.values():
            spine.set(visible=True, edgecolor=edge, linewidth=1.6)


def _said(scene: "Scene", picture: Picture) -> tuple[str, str]:
    """A picture's figures, and in which colour."""
    if picture is scene.sharp:
        return f"{picture.shape[1]} × {picture.shape[0]} px", MUTED
    found = psnr(picture, scene.sharp)
    colour = MUTED if picture is scene.blurred else gain_colour(found - psnr(scene.blurred, scene.sharp))
    return f"{decibels(found)} · SSIM {ssim(picture, scene.sharp):.4f}", colour


def _nothing(axes: "Axes", reason: str) -> None:
    """An empty place that says why it is empty."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(edgecolor=RULE, linestyle=(0, (4, 3)))
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=MUTED)


def map_sheet(scenes: Sequence["Scene"], shown: Mapping[str, Sequence[Shown]], note: str = "") -> "Figure":
    """A row a scene: its blurred picture, its true map, and each method's with its MAE; in px of sigma.

    ``shown``: by scene name, the same methods for each. A row's colours reach from 0 to its true map's largest value,
    in all of its maps.

    Raises:
        ValueError: there are no scenes, or a map is not of the scene's size.
    """
    if not scenes:
        raise ValueError("no scenes for a sheet of maps; judge at least one")
    heads = ["blurred", "true map", *(each.method.short for each in shown[scenes[0].name])]
    width = (WIDTH - MARGIN - MAP_BAR - (len(heads) - 1) * MAP_GAP) / len(heads)
    wholes = [width * min(max(scene.sharp.shape[0] / scene.sharp.shape[1], 0.4), 1.4) for scene in scenes]
    height = TITLE + HEAD + sum(wholes) + len(scenes) * (CAPTION + MAP_GAP)
    with house_style():
        figure = new_figure(WIDTH, height, PANEL_DPI)
        _title(figure, "Defocus maps", note)
        top = height - TITLE - HEAD
        for number, (scene, whole) in enumerate(zip(scenes, wholes, strict=True)):
            place = (top - whole, width, whole)
            _map_row(figure, scene, shown[scene.name], heads if number == 0 else [""] * len(heads), place)
            top -= whole + CAPTION + MAP_GAP
    return figure


def _map_row(
    figure: "Figure", scene: "Scene", shown: Sequence[Shown], heads: Sequence[str], place: tuple[float, float, float]
) -> None:
    """One scene; ``place``: bottom, width, height."""
    bottom, width, height = place
    largest = max(float(scene.defocus.max()) * scene.sigma_max, 1e-3)
    cells: list[tuple[NDArray[np.generic] | None, str, str]] = [
        (scene.blurred, scene.name.rpartition("/")[2], ""),
        (scene.defocus, f"mean σ {scene.defocus.mean() * scene.sigma_max:.2f} px", ""),
    ]
    for each in shown:
        said = "" if each.defocus is None else f"MAE {map_errors(each.defocus, scene.defocus)[0]:.4f}"
        cells.append((each.defocus, said, each.reason))
    for index, ((picture, caption, reason), head) in enumerate(zip(cells, heads, strict=True)):
        axes = add_axes(figure, MARGIN + index * (width + MAP_GAP), bottom, width, height)
        axes.set_title(head, fontsize=9.5, color=INK, pad=4, weight="bold" if head == "SFT-Dec" else None)
        axes.set_xlabel(caption, fontsize=8.5, color=MUTED, labelpad=3)
        if picture is None:
            _nothing(axes, reason)
        elif picture.ndim == 3:
            show(axes, picture, 1.0, "auto")
        else:
            pixels = picture.astype(np.float32) * scene.sigma_max
            image: AxesImage = axes.imshow(pixels, interpolation="auto", cmap=DEFOCUS_COLOURS, vmin=0, vmax=largest)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_visible(False)
    left = MARGIN + len(cells) * (width + MAP_GAP)
    bar = add_axes(figure, left, bottom, 0.09, height)
    figure.colorbar(image, cax=bar)
    bar.tick_params(length=2, pad=2, labelsize=7.5)
    bar.locator_params(nbins=4)
    bar.set_title("σ, px", fontsize=7.5, color=MUTED, pad=4, loc="left")
    bar.spines["outline"].set_visible(False)
