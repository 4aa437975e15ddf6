"""Pictures of a result for the eye: the defocus map in colours with its scale, and before beside after."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

USUAL_BLUR = 6.0  # px of sigma
PREVIEW_SIDE = 1600  # px, of the longer side
PANEL_SIDE = 960
_LIFT = 0.6  # exponent
_NARROWEST = 360  # px that a scale with its numbers needs
_INK, _MUTED, _PAPER, _FRAME = "#1f2933", "#66727f", "#ffffff", "#ff9f1c"
_MARGIN = 16  # px
_LINE, _TITLE, _NUMBER, _BAR, _TICK = 26, 17, 14, 14, 5  # px on a page that is not larger than a column below
_COLUMN = 560  # px; on wider ones letters grow with them


def coloured(defocus: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Defocus of any shape in 0..1 as RGB in a last axis: black is sharp, light yellow the largest blur.

    The colours are magma's, its dark end passed more quickly: 1 px of 6 is to be told from black.
    """
    colours: NDArray[np.uint8] = _colours()[np.rint(np.clip(defocus, 0, 1) * 255).astype(np.uint8)]
    return colours


@cache
def _colours() -> NDArray[np.uint8]:
    """The 256 colours of ``coloured``."""
    levels = np.arange(256)
    magma = cv2.applyColorMap(levels[None].astype(np.uint8), cv2.COLORMAP_MAGMA)[0, :, ::-1]
    at = 255 * (levels / 255) ** _LIFT
    colours: NDArray[np.uint8] = (
        np.stack([np.interp(at, levels, part) for part in magma.T], -1).round().astype(np.uint8)
    )
    return colours


def scaled(defocus: NDArray[np.float32], sigma_max: float) -> tuple[NDArray[np.float32], float]:
    """A map for the eye, H×W in 0..1, and the px of sigma that its 1.0 stands for: a half or a quarter of
    ``sigma_max`` where all but a two-hundredth of it lies below that, but no less than ``USUAL_BLUR``.
    """
    largest = float(np.percentile(defocus, 99.5))
    shown = 1.0
    while sigma_max * shown / 2 >= USUAL_BLUR and largest <= shown / 2:
        shown /= 2
    return np.clip(defocus / np.float32(shown), 0, 1), sigma_max * shown


def preview(defocus: NDArray[np.float32], sigma_max: float) -> Image.Image:
    """The map in colours, at most ``PREVIEW_SIDE`` px, above its scale in px of sigma."""
    small, sigma_max = scaled(shrunk(defocus), sigma_max)
    height, width = small.shape
    across = max(width, _NARROWEST)
    unit = _unit(across)
    page = Image.new("RGB", (across + 2 * _MARGIN, height + 3 * _MARGIN + _scale_height(unit)), _PAPER)
    page.paste(Image.fromarray(coloured(small)), (_MARGIN + (across - width) // 2, _MARGIN))
    _draw_scale(page, (_MARGIN, height + 2 * _MARGIN), across, sigma_max, unit)
    return page


def comparison(
    before: NDArray[np.uint8], after: NDArray[np.uint8], defocus: NDArray[np.float32], sigma_max: float
) -> Image.Image:
    """Before, after and the map side by side; of a photo larger than a panel also the part that changed most, 1:1.

    ``before`` and ``after`` are H×W×3, ``defocus`` is H×W in 0..1.
    """
    width = defocus.shape[1]
    small = [shrunk(each, PANEL_SIDE) for each in (before, after, defocus)]
    small[2], sigma_max = scaled(small[2], sigma_max)
    panel_height, panel_width = small[2].shape
    part = _most_changed(before, after, panel_height, panel_width) if panel_width < width else None
    column = max(panel_width, _NARROWEST) + _MARGIN
    unit = _unit(column)
    line, scale_height = round(_LINE * unit), _scale_height(unit)
    row = line + panel_height + _MARGIN
    size = (3 * column + _MARGIN, (2 * row + _MARGIN if part else row) + _MARGIN + scale_height)
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    inset = _MARGIN + (column - _MARGIN - panel_width) // 2

    def place(panels: list[NDArray[np.uint8]], titles: list[str], top: int) -> None:
        for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
            left = inset + number * column
            draw.text((left, top), title, _INK, _font(_TITLE * unit))
            page.paste(Image.fromarray(panel), (left, top + line))

    place([small[0], small[1], coloured(small[2])], ["before", "after", "defocus map"], _MARGIN)
    _draw_scale(page, (_MARGIN + 2 * column, _MARGIN + row), column - _MARGIN, sigma_max, unit)
    if part:
        rows, columns = part
        scale = panel_width / width
        for number in range(3):
            left, top = inset + number * column + columns.start * scale, _MARGIN + line + rows.start * scale
            box = (left, top, left + panel_width * scale, top + panel_height * scale)
            draw.rectangle(box, outline=_FRAME, width=3)
        cut = [before[part], after[part], coloured(defocus[part])]
        titles = [f"{name}: the framed part, pixel by pixel" for name in ("before", "after", "map")]
        place(cut, titles, _MARGIN + row + scale_height + _MARGIN)
    return page


def shrunk(levels: NDArray[Any], side: int = PREVIEW_SIDE) -> NDArray[Any]:
    """Levels H×W(×3) whose longer side is at most ``side`` px."""
    height, width = levels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return levels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA))


def _most_changed(before: NDArray[np.uint8], after: NDArray[np.uint8], height: int, width: int) -> tuple[slice, slice]:
    """The window of ``height``×``width`` px with the largest mean change."""
    change = cv2.absdiff(np.ascontiguousarray(before), np.ascontiguousarray(after))
    small = shrunk(cv2.cvtColor(change, cv2.COLOR_RGB2GRAY), PANEL_SIDE).astype(np.float32)
    scale = small.shape[1] / before.shape[1]
    window = (max(1, int(width * scale)), max(1, int(height * scale)))
    means = cv2.blur(small, window, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    inside = means[: small.shape[0] - window[1] + 1, : small.shape[1] - window[0] + 1]
    top, left = (int(place) for place in np.unravel_index(int(inside.argmax()), inside.shape))
    top = min(int(top / scale), before.shape[0] - height)
    left = min(int(left / scale), before.shape[1] - width)
    return slice(top, top + height), slice(left, left + width)


def _unit(width: int) -> float:
    """How large letters are on a page, or a column of it, of ``width`` px."""
    return max(1.0, width / _COLUMN)


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(round(size))


def _scale_height(unit: float) -> int:
    return round((_BAR + _TICK + 2 * _LINE) * unit)


def _draw_scale(page: Image.Image, corner: tuple[int, int], width: int, sigma_max: float, unit: float) -> None:
    """A bar of the map's colours, its numbers below it, and what they are."""
    draw, font, (left, top) = ImageDraw.Draw(page), _font(_NUMBER * unit), corner
    bar, tick, line = round(_BAR * unit), round(_TICK * unit), round(_LINE * unit)
    ramp = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (bar, width))
    page.paste(Image.fromarray(coloured(ramp)), (left, top))
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if sigma_max / step <= 6.5)
    for number in range(int(sigma_max / step + 1e-6) + 1):
        at = left + round((width - 1) * number * step / sigma_max)
        draw.line((at, top + bar, at, top + bar + tick), _MUTED, width=max(1, tick // 5))
        anchor = "la" if number == 0 else "ra" if at > left + width - 12 else "ma"
        draw.text((at, top + bar + tick + 3), f"{number * step:g}", _INK, font, anchor=anchor)
    said = "blur in px (standard deviation of the point spread)"
    draw.text((left + width // 2, top + bar + tick + line - 2), said, _MUTED, font, anchor="ma")
