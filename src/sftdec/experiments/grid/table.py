"""The grid as rows, as text for a terminal, and as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sftdec.evaluation import PROTOCOL
from sftdec.experiments.grid.fill import Grid
from sftdec.experiments.tables.documents import write_page
from sftdec.reporting import Block, Document, Sheet

_SHOWN = (("psnr_gain", "gain (dB)", "+.2f"), ("ssim", "SSIM", ".4f"), ("mae", "map MAE", ".4f"))
_BLURRED = ("ssim_blurred", "mae_constant")  # what SSIM and the map's error are to be compared with
_FIGURES = ["images", "psnr_blurred", "psnr", "psnr_gain", "ssim_blurred", "ssim", "mae", "mse", "mae_constant",
            "mse_constant", "improved"]  # fmt: skip
_NONE, _FAILED = "–", "failed"
_DIGITS = 12  # of a checksum, in the page
_ORACLE = "oracle"  # is told the map, and no figure of it is the best


def grid_rows(grid: Grid) -> pd.DataFrame:
    """A row a cell: figures unrounded (6 decimals), or why there are none."""
    rows = []
    for model in grid.models:
        for data in grid.data:
            cell = grid.cells.get((model.name, data.name))
            failure = grid.failures.get((model.name, data.name))
            if cell is None and failure is None:
                continue
            figures = cell.figures if cell else {}
            row: dict[str, Any] = {"model": model.name, "kind": model.kind, "source": ", ".join(model.sources)}
            row |= {"model_sha256": model.digest, "dataset": data.name, "split": data.split}
            row |= {"scenes_sha256": data.checksum} | {name: figures.get(name) for name in _FIGURES}
            rows.append(row | {"images": data.images, "cell": cell.key if cell else None, "failure": failure})
    return pd.DataFrame(rows)


def grid_text(rows: pd.DataFrame) -> str:
    """The table for a terminal, and below it each failure with its reason."""
    failures, sheet = failure_lines(rows), _sheet(rows, bold=False)
    return "\n".join([*_aligned([sheet.head, *map(list, sheet.rows)]), *([""] if failures else []), *failures])


def failure_lines(rows: pd.DataFrame) -> list[str]:
    """A sentence for each cell that couldn't be had; one for a model that fails in the same way everywhere."""
    told = []
    for name, own in rows.groupby("model", sort=False):
        failed = own.dropna(subset="failure")
        if len(failed) == rows["dataset"].nunique() and failed["failure"].nunique() == 1:
            failed = failed.head(1).assign(dataset="")
        told += [
            f"{name}{f' on {on}' if on else ''}: {why}"
            for on, why in zip(failed["dataset"], failed["failure"], strict=True)
        ]
    return told


def write_grid(rows: pd.DataFrame, reports: Path) -> list[Path]:
    """Write ``grid.csv`` and ``grid.md``; the same cells give the same bytes."""
    return write_page(reports, "grid", rows, _document)


def _document(rows: pd.DataFrame) -> Document:
    failures = failure_lines(rows)
    said: list[Block] = ["Not measured:", failures] if failures else []
    return Document(
        "Models × data sets",
        ["Made by `sftdec evaluate --all`. The best of each column is bold, the true map's (`oracle`) aside."],
        {},
        opening=[_sheet(rows, bold=True), *said, _data_sheet(rows), _model_sheet(rows)],
        footnotes=[PROTOCOL],
    )


def _sheet(rows: pd.DataFrame, bold: bool) -> Sheet:
    sets = list(rows.groupby("dataset"))
    head = ["model", *(f"{name} {title}" for name, _ in sets for _, title, _ in _SHOWN)]
    body = [["blurred input, best constant map", *(cell for _, own in sets for cell in _of_blurred(own))]]
    for model in rows["model"].unique():
        body.append([model, *(cell for _, own in sets for cell in _figures(own, model, bold))])
    return Sheet(head, body if rows["cell"].notna().any() else body[1:])


def _figures(rows: pd.DataFrame, model: str, bold: bool) -> list[str]:
    """A model's figures on the data set of the rows; its best ones as they are printed are bold."""
    own, rivals = rows[rows["model"] == model], rows[rows["model"] != _ORACLE]
    if own.empty or own["failure"].notna().any():
        return [_NONE if own.empty else _FAILED] * len(_SHOWN)
    texts = []
    for measure, _, form in _SHOWN:
        text, known = _text(own, measure, form), rivals[measure].dropna()
        best = format(known.min() if measure == "mae" else known.max(), form) if len(known) > 1 else ""
        texts.append(f"**{text}**" if bold and text == best and model != _ORACLE else text)
    return texts


def _text(rows: pd.DataFrame, measure: str, form: str) -> str:
    """The first figure that is known."""
    known = rows[measure].dropna()
    return format(float(known.iloc[0]), form) if len(known) else _NONE


def _of_blurred(rows: pd.DataFrame) -> list[str]:
    measured = rows["cell"].notna().any()
    return ["0.00" if measured else _NONE, *(_text(rows, measure, ".4f") for measure in _BLURRED)]


def _data_sheet(rows: pd.DataFrame) -> Sheet:
    body = []
    for name, own in rows.groupby("dataset"):
        first = own.iloc[0]
        blurred = _text(own, "psnr_blurred", ".2f")
        body.append([str(name), first["split"], str(first["images"]), blurred, first["scenes_sha256"][:_DIGITS]])
    return Sheet(["data set", "split", "pictures", "PSNR of the blurred (dB)", "SHA-256"], body, texts=True)


def _model_sheet(rows: pd.DataFrame) -> Sheet:
    body = [
        [model, source, _NONE if kind == "method" or pd.isna(digest) else digest[:_DIGITS]]
        for model, source, kind, digest in rows.drop_duplicates("model")[
            ["model", "source", "kind", "model_sha256"]
        ].itertuples(index=False)
    ]
    return Sheet(["model", "what it is", "SHA-256"], body, texts=True)


def _aligned(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns of one width for a terminal; the first one begins, the others end alike."""
    first, *others = ([*map(len, column)] for column in zip(*rows, strict=True))
    widths = [max(each) for each in others]
    return ["   ".join([row[0].ljust(max(first)), *(map(str.rjust, row[1:], widths))]) for row in rows]
