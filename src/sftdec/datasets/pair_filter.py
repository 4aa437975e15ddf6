"""Edge-aware steps on the way from blur costs to a defocus map: semi-global aggregation and a fast global smoother.

H, W: picture; L: levels of blur; C: channels.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_PASSES = 3  # of the smoother
_BAND = 256  # rows that paths across run along together, turned: each step then reads what lies together


def aggregate_costs(costs: Floats, guide: Floats, step: float, jump: float, contrast: float) -> Floats:
    """Sum of path costs over the four directions, L×H×W, of costs L×H×W.

    A path pays ``step`` where the level changes by one between neighbours and ``jump`` where it changes by more;
    across an edge of the ``guide`` (grey levels, H×W) the jump gets cheaper, to a quarter at most, with the scale
    ``contrast`` (Hirschmüller 2008, "Stereo processing by semiglobal matching and mutual information").
    """
    total = np.zeros_like(costs)

    def add(costs: Floats, guide: Floats, total: Floats) -> None:
        openness = np.exp(-np.abs(np.diff(guide, axis=0)) / np.float32(contrast))
        jumps = np.asarray(jump * np.maximum(openness, 0.25), np.float32)
        _add_paths(costs, jumps, step, total)
        _add_paths(costs[:, ::-1], jumps[::-1], step, total[:, ::-1])

    add(costs, guide, total)
    room = np.empty((2, len(costs), guide.shape[1], min(_BAND, len(guide))), np.float32)
    for first in range(0, len(guide), _BAND):
        rows = slice(first, first + _BAND)
        turned, turned_total = room[..., : len(guide[rows])]
        turned[:], turned_total[:] = (each[:, rows].transpose(0, 2, 1) for each in (costs, total))
        add(turned, guide[rows].T, turned_total)
        total[:, rows] = turned_total.transpose(0, 2, 1)
    return total


def _add_paths(costs: Floats, jumps: Floats, step: float, total: Floats) -> None:
    """Add to ``total`` the path costs down the second axis, from its start."""
    before = costs[:, 0]
    total[:, 0] += before
    for row in range(1, costs.shape[1]):
        lowest = before.min(axis=0)
        path = np.minimum(before, lowest + jumps[row - 1])
        np.minimum(path[1:], before[:-1] + step, out=path[1:])
        np.minimum(path[:-1], before[1:] + step, out=path[:-1])
        path += costs[:, row]
        path -= lowest
        total[:, row] += path
        before = path


def fill_by_confidence(values: Floats, confidence: Floats, guide: Floats, strength: float, contrast: float) -> Floats:
    """Values H×W carried from where they are sure to where they are not, along the guide's surfaces.

    ``confidence`` H×W must be above 0; ``strength`` is the smoother's weight, ``contrast`` the grey levels at which an
    edge of the ``guide`` (grey levels, H×W) lets a third through. Numerator and denominator of the weighted mean are
    smoothed alike (Min et al. 2014, "Fast global image smoothing based on weighted least squares", sec. IV).
    """
    weighted = np.stack([values * confidence, confidence], axis=2)
    smooth = _smooth(weighted, guide, strength, contrast)
    return np.asarray(smooth[..., 0] / smooth[..., 1], np.float32)


def _smooth(image: Floats, guide: Floats, strength: float, contrast: float) -> Floats:
    """Weighted least squares smoothing of H×W×C by alternate exact solutions along columns and rows."""
    down = np.exp(-np.abs(np.diff(guide, axis=0)) / contrast)
    across = np.exp(-np.abs(np.diff(guide, axis=1)) / contrast).T
    for number in range(_PASSES):
        weight = 1.5 * strength * 4 ** (_PASSES - 1 - number) / (4**_PASSES - 1)
        image = _solve_along(image.transpose(1, 0, 2), weight * across).transpose(1, 0, 2)
        image = _solve_along(image, weight * down)
    return image


def _solve_along(image: Floats, links: Floats) -> Floats:
    """Solve the three-diagonal systems along the first axis of N×M×C; ``links`` (N-1)×M couple neighbours."""
    count, lanes = image.shape[:2]
    diagonal = np.ones((count, lanes), np.float32)
    diagonal[1:] += links
    diagonal[:-1] += links
    solved = image.copy()
    upper = np.zeros((count, lanes), np.float32)
    solved[0] /= diagonal[0][:, None]
    for n in range(1, count):
        upper[n - 1] = -links[n - 1] / diagonal[n - 1]
        diagonal[n] += links[n - 1] * upper[n - 1]
        solved[n] = (solved[n] + links[n - 1][:, None] * solved[n - 1]) / diagonal[n][:, None]
    for n in range(count - 2, -1, -1):
        solved[n] -= upper[n][:, None] * solved[n + 1]
    return solved


def lowest_place(cost: Callable[[NDArray[np.intp]], Floats], best: NDArray[np.intp], places: Floats) -> Floats:
    """Where the cost is lowest, H×W, between the levels' ``places`` (L, rising): the vertex of the parabola through
    the best level (H×W) and its two neighbours. ``cost`` gives the cost H×W of a level H×W.
    """
    middle = np.clip(best, 1, len(places) - 2)
    x0, x1, x2 = (places[middle + k] for k in (-1, 0, 1))
    y0, y1, y2 = (cost(middle + k) for k in (-1, 0, 1))
    fall, rise = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    curvature = rise - fall
    vertex = (x0 + x1) / 2 - fall * (x2 - x0) / 2 / np.where(curvature > 1e-9, curvature, np.inf)
    vertex = np.where(curvature > 1e-9, vertex, places[best])
    return np.asarray(np.clip(vertex, x0, x2), np.float32)
