"""Putting the page together: the parts whose inputs are there, with pictures as close as its size allows."""

from pathlib import Path
from typing import Any

from sftdec.evaluation import PROTOCOL
from sftdec.reporting.embedding import page_environment
from sftdec.reporting.report.data import data_part, example_groups, map_scale
from sftdec.reporting.report.making import making_part, training_part
from sftdec.reporting.report.material import FIDELITIES, Fidelity, Material
from sftdec.reporting.report.panels import calibration, figure_files, shown_comparisons, typical
from sftdec.reporting.report.result import Rows, key_figures, parameters, picture_rows
from sftdec.reporting.report.standing import read_standings
from sftdec.runtime import atomic_path

PAGE_LIMIT = 8_000_000  # bytes
OPEN_ROWS = 4  # a longer table of pictures starts folded
TABLES = ("table1", "table2")  # the comparison's documents; the ablation's are table3 and readings


def write_report(path: Path, material: Material) -> None:
    """Write the page, whole or not at all; equal material gives equal bytes, wherever it lies.

    The first 12 comparisons get a slider each. Pictures are embedded as JPEG, as closely as keeps the page under 8 MB.

    Raises:
        ValueError: there is no data set, `metrics` and `per_image` are of different ones, or a comparison is of a
            scene that has no row.
        DataError: of the folders of scenes and patches, a file is missing or can't be read.
        OSError: a picture can't be read or the page can't be written.
    """
    rows = picture_rows(material.per_image)
    _check(path, material, rows)
    content = _content(material, rows)
    page = b""
    for fidelity in FIDELITIES:
        page = _render({**content, **_pictures(material, rows, content, fidelity)})
        if len(page) <= PAGE_LIMIT:
            break
    with atomic_path(path) as temporary:
        temporary.write_bytes(page)


def _check(path: Path, material: Material, rows: Rows) -> None:
    """Metrics, rows and comparisons are of the same pictures."""
    named, metrics = {dataset for dataset, _ in rows}, material.metrics
    if not metrics or named != set(metrics):
        raise ValueError(
            f"{path}: metrics are of {sorted(metrics)}, the per-image table of {sorted(named)}; expected the "
            "same data sets, at least one: pass the table that was summarised"
        )
    unknown = [pair.scene for pair in material.comparisons if (pair.dataset, pair.scene) not in rows]
    if unknown:
        raise ValueError(f"{path}: no row for the pictures {', '.join(unknown)}; pass the table they belong to")


def _content(material: Material, rows: Rows) -> dict[str, Any]:
    """All that doesn't depend on how closely pictures are embedded."""
    names = {name: [row for (dataset, _), row in rows.items() if dataset == name] for name in material.metrics}
    figures = key_figures(material, rows)
    sigma_max = max((entry["sigma_max"] or 0 for entry in figures), default=0)
    return {
        "metrics": material.metrics,
        "figures": figures,
        "rows": names,
        "open_rows": OPEN_ROWS,
        "total": len(rows),
        "parameters": parameters(material),
        "split": material.params.evaluate.split if material.params else "",
        "standings": read_standings(material.published / "table2.csv") if material.published else [],
        "network": material.params.network if material.params else None,
        "scale": map_scale(sigma_max) if sigma_max else None,
        "calibration": calibration(material, sigma_max),
        "training": training_part(material),
        "data": data_part(material),
        "making": making_part(material),
        "protocol": PROTOCOL,
        "outdated": material.outdated,
        "compared": [material.documents[name] for name in TABLES if name in material.documents],
        **{name: material.documents.get(name) for name in ("table3", "readings")},
    }


def _pictures(material: Material, rows: Rows, content: dict[str, Any], fidelity: Fidelity) -> dict[str, Any]:
    """Sliders, panels and examples at one fidelity."""
    shown = shown_comparisons(material, rows, fidelity)
    panels = material.published / "figures" / "comparison" if material.published else None
    return {
        "shown": shown,
        "hero": typical(shown),
        "sheet": figure_files(material.figures, "contact_sheet.png", fidelity),
        "panels": figure_files(panels, "*.webp", fidelity),
        "examples": example_groups(content["data"]["examples"], fidelity) if content["data"] else [],
    }


def _render(content: dict[str, Any]) -> bytes:
    """The template filled in."""
    from jinja2 import PackageLoader

    ablation = content["table3"] or content["readings"]
    parts = {
        "result": ("Result", True),
        "pictures": ("Before and after", content["shown"]),
        "comparison": ("Comparison", content["compared"] or content["panels"]),
        "ablation": ("Ablation", ablation),
        "training": ("Training", content["training"]),
        "data": ("Data", content["data"]),
        "rows": ("Every picture", True),
        "making": ("How it was made", content["making"]),
    }
    there = [(name, title) for name, (title, present) in parts.items() if present]
    environment = page_environment(PackageLoader("sftdec.reporting.report"))
    return environment.get_template("page.html.jinja").render({**content, "parts": there}).encode()
