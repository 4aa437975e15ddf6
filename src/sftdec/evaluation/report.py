"""One HTML page that shows what an evaluation found, complete in itself: it draws without a network."""

import base64
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sftdec.atomic import atomic_path
from sftdec.evaluation.figures import reduced
from sftdec.evaluation.gallery import Comparison
from sftdec.evaluation.metrics import Picture
from sftdec.evaluation.plots import training_curves
from sftdec.evaluation.style import png_bytes

TEMPLATE, STYLE = "report.html.jinja", "page.css.jinja"
PAGE_LIMIT = 3_000_000  # bytes
SHOWN = 12  # pictures with a slider; all of them stand in the table
OPEN_ROWS = 24  # a longer table starts folded


class Fidelity(NamedTuple):
    """How closely pictures are embedded: greatest width in px of a slider and of a panel, JPEG quality."""

    slider: int
    panel: int
    quality: int


FIDELITIES = (
    Fidelity(960, 1536, 90),
    Fidelity(800, 1400, 88),
    Fidelity(640, 1280, 84),
    Fidelity(520, 1100, 78),
    Fidelity(400, 900, 70),
)


class Shown(NamedTuple):
    """A comparison as the template needs it: data URIs, size in px and the picture's row of numbers."""

    row: dict[str, Any]
    blurred: str
    deblurred: str
    panel: str
    width: int
    height: int


def write_report(
    path: Path,
    metrics: Mapping[str, Mapping[str, float | int]],
    per_image: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    *,
    comparisons: Sequence[Comparison] = (),
    figures: Sequence[Path] = (),
    params: Mapping[str, Any] | None = None,
    lineage: Mapping[str, str] | None = None,
    gate: Mapping[str, Any] | None = None,
) -> None:
    """Write the page, whole or not at all; equal arguments give equal bytes.

    `metrics` is what `summarise` makes of `per_image`; `curves` maps stages to tables for `training_curves`
    (none: the section is left out); the first 12 `comparisons` get a slider each, and their panel; `figures`
    are further PNG files, captioned by their names. `params` is shown as YAML, `lineage` and `gate` as name
    and value. Pictures are embedded as JPEG, as closely as keeps the page under 3 MB.

    Raises:
        ValueError: there is no data set, `metrics` and `per_image` are of different ones, or a comparison is
            of a scene that has no row.
        OSError: a figure can't be read or the page can't be written.
    """
    rows = _rows(per_image) if len(per_image) else {}
    _check(path, metrics, rows, comparisons)
    content: dict[str, Any] = {
        "style": page_style(),
        "metrics": metrics,
        "rows": {name: [row for (dataset, _), row in rows.items() if dataset == name] for name in metrics},
        "open_rows": OPEN_ROWS,
        "total": len(rows),
        "steps": {stage: int(table["step"].max()) for stage, table in curves.items()},
        "curves": [png_uri(png_bytes(training_curves(curves, width))) for width in (9.6, 4.4) if curves],
        "params": _as_yaml(params),
        "lineage": dict(lineage or {}),
        "gate": dict(gate or {}),
    }
    page = b""
    for fidelity in FIDELITIES:
        shown = [_shown(pair, rows[pair.dataset, pair.scene], fidelity) for pair in comparisons[:SHOWN]]
        others = [(figure.stem.replace("_", " "), _file_uri(figure, fidelity)) for figure in figures]
        page = _render({**content, "shown": shown, "figures": others})
        if len(page) <= PAGE_LIMIT:
            break
    with atomic_path(path) as temporary:
        temporary.write_bytes(page)


def _check(
    path: Path,
    metrics: Mapping[str, Mapping[str, float | int]],
    rows: Mapping[tuple[str, str], dict[str, Any]],
    comparisons: Sequence[Comparison],
) -> None:
    """Metrics, rows and comparisons are of the same pictures."""
    named = {dataset for dataset, _ in rows}
    if not metrics or named != set(metrics):
        raise ValueError(
            f"{path}: metrics are of {sorted(metrics)}, the per-image table of {sorted(named)}; expected the "
            "same data sets, at least one: pass the table that was summarised"
        )
    unknown = [pair.scene for pair in comparisons if (pair.dataset, pair.scene) not in rows]
    if unknown:
        raise ValueError(f"{path}: no row for the pictures {', '.join(unknown)}; pass the table they belong to")


def _rows(per_image: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Each picture's numbers by (data set, scene), with its gain and its bar's place in per cent."""
    gains = per_image["psnr"] - per_image["psnr_blurred"]
    low, high = min(0.0, float(gains.min())), max(0.0, float(gains.max()))
    span = high - low or 1.0
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for record, gain in zip(per_image.to_dict("records"), gains, strict=True):
        left, right = sorted([(0 - low) / span * 100, (float(gain) - low) / span * 100])
        bar = {"gain": float(gain), "left": left, "width": right - left}
        rows[str(record["dataset"]), str(record["scene"])] = {str(key): value for key, value in record.items()} | bar
    return rows


def _shown(pair: Comparison, row: dict[str, Any], fidelity: Fidelity) -> Shown:
    """A comparison encoded at one fidelity."""
    return Shown(
        row,
        jpeg_uri(reduced(pair.blurred, fidelity.slider), fidelity.quality),
        jpeg_uri(reduced(pair.deblurred, fidelity.slider), fidelity.quality),
        _file_uri(pair.panel, fidelity) if pair.panel else "",
        pair.blurred.shape[1],
        pair.blurred.shape[0],
    )


def _file_uri(path: Path, fidelity: Fidelity) -> str:
    """A picture file as a JPEG data URI."""
    from PIL import Image

    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB"))
    return jpeg_uri(reduced(picture, fidelity.panel), fidelity.quality)


def jpeg_uri(picture: Picture, quality: int) -> str:
    """A uint8 picture h×w×3 as a JPEG data URI, colours at full resolution."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_uri(content: bytes) -> str:
    """A PNG as a data URI, with a palette: a plot has few colours."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _as_yaml(params: Mapping[str, Any] | None) -> str:
    """Parameters as they stand in params.yaml."""
    import yaml

    return yaml.safe_dump(dict(params), sort_keys=False, allow_unicode=True) if params else ""


def page_style() -> str:
    """The style sheet of all reports' pages."""
    return files("sftdec.evaluation").joinpath(STYLE).read_text("utf-8")


def _render(content: dict[str, Any]) -> bytes:
    """The template filled in."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["signed"] = lambda value, digits=2: f"{value:+.{digits}f}".replace("-", "−")
    environment.filters["fixed"] = lambda value, digits=2: f"{value:.{digits}f}".replace("-", "−")
    environment.filters["verdict"] = lambda gain: "better" if gain > 0 else "worse" if gain < 0 else "equal"
    source = files("sftdec.evaluation").joinpath(TEMPLATE).read_text("utf-8")
    return environment.from_string(source).render(content).encode()
