"""The grid as text, Markdown and CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sftdec.evaluation import PROTOCOL
from sftdec.experiments.grid.data import GridData
from sftdec.experiments.grid.fill import Grid
from sftdec.experiments.grid.models import GridModel
from sftdec.reporting import Block, Document, Sheet, markdown
from sftdec.runtime import atomic_path

_SHOWN = (("psnr_gain", "gain (dB)", "+.2f"), ("ssim", "SSIM", ".4f"), ("mae", "map MAE", ".4f"))
_NONE, _FAILED = "–", "failed"
_BLURRED = ("0.00", "ssim_blurred", "mae_constant")  # what each measure is to be compared with
_DIGITS = 12  # of a checksum, in the page


def grid_text(grid: Grid) -> str:
    """The table for a terminal, and below it each failure with its reason."""
    lines = _aligned([_head(grid), *_body(grid, bold=False)])
    return "\n".join([*lines, *([""] if grid.failures else []), *failure_lines(grid)])


def failure_lines(grid: Grid) -> list[str]:
    """A sentence for each cell that couldn't be had; one for a model that fails in the same way everywhere."""
    told = {}
    for model in grid.models:
        reasons = {data.name: grid.failures.get((model.name, data.name)) for data in grid.data}
        if len(set(reasons.values())) == 1 and (reason := next(iter(reasons.values()))):
            told[model.name] = reason
        else:
            told |= {f"{model.name} on {name}": reason for name, reason in reasons.items() if reason}
    return [f"{what}: {reason}" for what, reason in told.items()]


def write_grid(grid: Grid, reports: Path) -> list[Path]:
    """Write ``grid.md`` and ``grid.csv``; the same cells give the same bytes."""
    page, table = reports / "grid.md", reports / "grid.csv"
    with atomic_path(page) as temporary:
        temporary.write_text(_page(grid), "utf-8")
    with atomic_path(table) as temporary:
        _long(grid).to_csv(temporary, index=False, lineterminator="\n")
    return [page, table]


def _page(grid: Grid) -> str:
    failures: list[Block] = ["Not measured:", failure_lines(grid)] if grid.failures else []
    return markdown(
        Document(
            "Models × data sets",
            ["Made by `sftdec evaluate --all`. The best of each column is bold, the true map's (`oracle`) aside."],
            {},
            opening=[Sheet(_head(grid), _body(grid, bold=True)), *failures, _data_sheet(grid), _model_sheet(grid)],
            footnotes=[PROTOCOL],
        )
    )


def _head(grid: Grid) -> list[str]:
    return ["model", *(f"{data.name} {title}" for data in grid.data for _, title, _ in _SHOWN)]


def _body(grid: Grid, bold: bool) -> list[list[str]]:
    best = _best(grid) if bold else {}
    blurred = [cell for data in grid.data for cell in _of_blurred(grid, data)]
    rows = [["blurred input, best constant map", *blurred]] if any(cell != _NONE for cell in blurred) else []
    for model in grid.models:
        row = [model.name]
        for data in grid.data:
            row += _figures(grid, model, data, best)
        rows.append(row)
    return rows


def _figures(grid: Grid, model: GridModel, data: GridData, best: dict[tuple[str, str], str]) -> list[str]:
    place = (model.name, data.name)
    if place in grid.failures:
        return [_FAILED] * len(_SHOWN)
    cell = grid.cells.get(place)
    if cell is None:
        return [_NONE] * len(_SHOWN)
    texts = [_text(cell.figures, measure, form) for measure, _, form in _SHOWN]
    winners = [
        not model.wants_map and text == best.get((data.name, measure))
        for text, (measure, _, _) in zip(texts, _SHOWN, strict=True)
    ]
    return [f"**{text}**" if wins else text for text, wins in zip(texts, winners, strict=True)]


def _text(figures: Any, measure: str, form: str) -> str:
    return format(figures[measure], form) if measure in figures else _NONE


def _best(grid: Grid) -> dict[tuple[str, str], str]:
    """Of each data set and measure the best figure as it is printed; the oracle, which is told the map, aside."""
    best = {}
    for data in grid.data:
        for measure, _, form in _SHOWN:
            cells = (grid.cells.get((model.name, data.name)) for model in grid.models if not model.wants_map)
            values = [cell.figures[measure] for cell in cells if cell is not None and measure in cell.figures]
            if len(values) > 1:
                best[data.name, measure] = format((min if measure == "mae" else max)(values), form)
    return best


def _of_blurred(grid: Grid, data: GridData) -> list[str]:
    cell = next((found for (_, name), found in grid.cells.items() if name == data.name), None)
    if cell is None:
        return [_NONE] * len(_SHOWN)
    return [_BLURRED[0], *(_text(cell.figures, measure, ".4f") for measure in _BLURRED[1:])]


def _data_sheet(grid: Grid) -> Sheet:
    rows = []
    for data in grid.data:
        cell = next((found for (_, name), found in grid.cells.items() if name == data.name), None)
        blurred = _NONE if cell is None else f"{cell.figures['psnr_blurred']:.2f}"
        rows.append([data.name, data.split, str(data.images), blurred, data.checksum[:_DIGITS]])
    return Sheet(["data set", "split", "pictures", "PSNR of the blurred (dB)", "SHA-256"], rows, texts=True)


def _model_sheet(grid: Grid) -> Sheet:
    rows = [
        [model.name, ", ".join(model.sources), (model.digest or _NONE)[:_DIGITS] if model.kind != "method" else _NONE]
        for model in grid.models
    ]
    return Sheet(["model", "what it is", "SHA-256"], rows, texts=True)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width for a terminal; the first one begins, the others end alike."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _long(grid: Grid) -> pd.DataFrame:
    """A row a cell: figures unrounded (6 decimals), or why there are none."""
    measures = [
        *("images", "psnr_blurred", "psnr", "psnr_gain", "ssim_blurred", "ssim"),
        *("mae", "mse", "mae_constant", "mse_constant", "improved"),
    ]
    rows = []
    for model in grid.models:
        for data in grid.data:
            cell = grid.cells.get((model.name, data.name))
            failure = grid.failures.get((model.name, data.name), "")
            if cell is None and not failure:
                continue
            figures = cell.figures if cell else {}
            row: dict[str, Any] = {"model": model.name, "kind": model.kind, "source": ", ".join(model.sources)}
            row |= {"model_sha256": model.digest, "dataset": data.name, "split": data.split}
            row |= {"scenes_sha256": data.checksum} | {measure: figures.get(measure) for measure in measures}
            rows.append(row | {"cell": cell.key if cell else None, "failure": failure or None})
    return pd.DataFrame(rows).astype({"images": "Int64"})
