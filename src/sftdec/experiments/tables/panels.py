"""The paper's figures 5 to 9, for any methods: one scene, everyone's picture of it side by side, two windows enlarged;
and all maps of the shown scenes on one sheet.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sftdec.evaluation import Picture, map_errors, psnr, ssim
from sftdec.experiments.tables.methods import Method
from sftdec.experiments.tables.rows import missing
from sftdec.photos import read_defocus, read_photo
from sftdec.reporting import (
    CROPS,
    INK,
    MUTED,
    RULE,
    add_axes,
    add_colour_bar,
    choose_crops,
    decibels,
    draw_boxes,
    gain_colour,
    house_style,
    new_figure,
    show,
    show_window,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sftdec.datasets import Scene

WIDTH = 12.0  # inches, as all lengths below
COLUMNS = 6
PANEL_DPI = 128  # photos make large files
MARGIN, GAP, TITLE = 0.14, 0.12, 0.42
HEAD, CAPTION, BELOW = 0.22, 0.22, 0.16
CROP_GAP = 0.06
MAP_GAP, MAP_BAR = 0.08, 0.62
_CAPTION: dict[str, Any] = {"fontsize": 8.5, "labelpad": 3}


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
    pictures = [
        ("blurred", scene.blurred, ""),
        *((each.method.short, each.deblurred, each.reason) for each in shown),
        ("sharp", scene.sharp, ""),
    ]
    crops = choose_crops(scene, scene.blurred)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    whole, side = width * _ratio(scene), (width - CROP_GAP) / 2
    high = HEAD + whole + CAPTION + side + BELOW
    height = TITLE + -(-len(pictures) // COLUMNS) * high
    with house_style():
        figure = _titled(height, scene.name, note)
        for index, (name, picture, reason) in enumerate(pictures):
            row, column = divmod(index, COLUMNS)
            left, bottom = MARGIN + column * (width + GAP), height - TITLE - row * high - HEAD - whole
            axes = _tile(figure, name, picture, reason, (left, bottom, width, whole))
            if picture is None:
                continue
            caption, colour = _said(scene, picture)
            axes.set_xlabel(caption, color=colour, weight=None if colour == MUTED else "bold", **_CAPTION)
            if name == "blurred":
                draw_boxes(axes, crops)
            for number, (crop, edge) in enumerate(zip(crops, CROPS, strict=True)):
                window = add_axes(figure, left + number * (side + CROP_GAP), bottom - CAPTION - side, side, side)
                show_window(window, crop.of(picture), edge)
    return figure


def _ratio(scene: "Scene") -> float:
    """A picture's height by its width, within what a tile may have."""
    height, width = scene.sharp.shape[:2]
    return min(max(float(height / width), 0.4), 1.4)


def _titled(height: float, name: str, note: str) -> "Figure":
    figure = new_figure(WIDTH, height, PANEL_DPI)
    y = 1 - 0.2 / height
    figure.text(MARGIN / WIDTH, y, name, fontsize=11.5, weight="bold", va="center")
    figure.text(1 - MARGIN / WIDTH, y, note, fontsize=8.5, color=MUTED, va="center", ha="right")
    return figure


def _tile(
    figure: "Figure", name: str, picture: NDArray[Any] | None, reason: str,
    place: tuple[float, float, float, float], largest: float = 1.0,
) -> "Axes":  # fmt: skip
    """A picture, or a map up to ``largest``, with its name above it; an empty place says why it is empty."""
    axes = add_axes(figure, *place)
    axes.set_title(name, fontsize=9.5, color=INK, pad=3.5, weight="bold" if name == "SFT-Dec" else None)
    if picture is not None:
        show(axes, picture, largest, "auto")
        return axes
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(edgecolor=RULE, linestyle=(0, (4, 3)))
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=MUTED)
    return axes


def _said(scene: "Scene", picture: Picture) -> tuple[str, str]:
    """A picture's figures, and in which colour."""
    if picture is scene.sharp:
        return f"{picture.shape[1]} × {picture.shape[0]} px", MUTED
    found = psnr(picture, scene.sharp)
    colour = MUTED if picture is scene.blurred else gain_colour(found - psnr(scene.blurred, scene.sharp))
    return f"{decibels(found)} · SSIM {ssim(picture, scene.sharp):.4f}", colour


def map_sheet(scenes: Sequence["Scene"], shown: Mapping[str, Sequence[Shown]], note: str = "") -> "Figure":
    """A row a scene: its blurred picture, its true map, and each method's with its MAE; in px of sigma.

    ``shown``: by scene name, the same methods for each. A row's colours reach from 0 to its true map's largest value,
    in all of its maps.

    Raises:
        ValueError: there are no scenes, or a map is not of the scene's size.
    """
    if not scenes:
        raise ValueError("no scenes for a sheet of maps; judge at least one")
    count = 2 + len(shown[scenes[0].name])
    width = (WIDTH - MARGIN - MAP_BAR - (count - 1) * MAP_GAP) / count
    height = TITLE + HEAD + sum(width * _ratio(scene) + CAPTION + MAP_GAP for scene in scenes)
    with house_style():
        figure = _titled(height, "Defocus maps", note)
        bottom = height - TITLE - HEAD
        for number, scene in enumerate(scenes):
            bottom -= width * _ratio(scene)
            _map_row(figure, scene, shown[scene.name], number == 0, (bottom, width))
            bottom -= CAPTION + MAP_GAP
    return figure


def _map_row(figure: "Figure", scene: "Scene", shown: Sequence[Shown], named: bool, place: tuple[float, float]) -> None:
    """One scene; ``place``: bottom, width. The first row names the columns."""
    (bottom, width), unit = place, np.float32(scene.sigma_max)
    tiles: list[tuple[str, NDArray[Any] | None, str, str]] = [
        ("blurred", scene.blurred, scene.name.rpartition("/")[2], ""),
        ("true map", scene.defocus * unit, f"mean σ {scene.defocus.mean() * unit:.2f} px", ""),
    ]
    for method, _, defocus, reason in shown:
        said = "" if defocus is None else f"MAE {map_errors(defocus, scene.defocus)[0]:.4f}"
        tiles.append((method.short, None if defocus is None else defocus * unit, said, reason))
    high, largest = width * _ratio(scene), max(float(scene.defocus.max()) * scene.sigma_max, 1e-3)
    for index, (name, picture, caption, reason) in enumerate(tiles):
        left = MARGIN + index * (width + MAP_GAP)
        axes = _tile(figure, name if named else "", picture, reason, (left, bottom, width, high), largest)
        axes.set_xlabel(caption, color=MUTED, **_CAPTION)
        if name == "true map":
            image = axes.images[0]
    add_colour_bar(figure, image, MARGIN + len(tiles) * (width + MAP_GAP), bottom, high)
